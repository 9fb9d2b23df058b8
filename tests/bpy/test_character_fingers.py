# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers by hand on a character: its arms and fingers change around the note alone, and it still plays what is written."""

import time
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene.action import curves_of  # noqa: E402
from s2c_blender.scene.action_edit import Points  # noqa: E402
from s2c_blender.scene.contact import measure_scene  # noqa: E402
from s2c_blender.scene.timing import frame_at  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from tests import character_rigs, rigify_rigs  # noqa: E402
from tests.character_rigs import Make  # noqa: E402


def unreal():
    armature = character_rigs.build(Make("unreal4", arms=45, curl=14, tails="loose", roll=180))
    for bone in armature.pose.bones:  # every way of turning
        bone.rotation_mode = {"l": "XZY", "r": "QUATERNION"}.get(bone.name[-1], "QUATERNION")
        if bone.name.startswith(("thumb", "hand")):
            bone.rotation_mode = "AXIS_ANGLE"
    return armature


def every_key(thing):
    return {(curve.data_path, curve.array_index): Points.of(curve).co.copy() for curve in curves_of(thing)}


def shape_of(thing, frames):
    """(C, F) what the curves have at each frame."""
    return np.array([[curve.evaluate(frame) for frame in frames] for curve in curves_of(thing)])


@pytest.mark.parametrize("error", [0.0, 4.0])
def test_a_changed_finger_changes_the_character_around_it_alone(scene, error):
    settings = settings_of(scene)
    settings.character, settings.character_error = unreal(), error
    bpy.ops.s2c.bake_character()
    armature, own = settings.character, next(thing for thing in scene.objects if thing.get("s2c_hand") == "right")
    first, mine, was = scene["s2c_take"], every_key(own), every_key(armature)
    frames = np.arange(scene.frame_start, scene.frame_end, 0.25)
    shape = shape_of(armature, frames)
    note = settings.notes[9]
    note.finger = wanted = note.finger % 5 + 1
    onset = note.onset
    began = time.perf_counter()
    assert bpy.ops.s2c.solve_fingers() == {"FINISHED"}
    assert time.perf_counter() - began < 4.0  # 1 on a quiet computer
    assert scene["s2c_take"] == armature["s2c_take"] != first
    clip, before = Clip.load(Path(scene["s2c_take"])), Clip.load(Path(first))
    assert clip.skeleton == armature.name and clip.fingering.finger[9] == wanted == settings.notes[9].finger
    now = every_key(armature)
    assert now.keys() == was.keys()
    moved = np.flatnonzero((clip.rotation != before.rotation).any(axis=(1, 2, 3)))
    begin, end = (frame_at(scene, float(clip.times[index])) for index in (moved[0], moved[-1]))
    assert begin > frame_at(scene, onset - 4.0) and end < frame_at(scene, onset + 5.0)
    for channel, keys in was.items():
        for outside in (lambda at: at < begin - 1.01, lambda at: at > end + 1.01):
            np.testing.assert_array_equal(now[channel][outside(now[channel][:, 0])], keys[outside(keys[:, 0])])
        if any(word in channel[0] for word in ("spine", "pelvis", "thigh", "neck", "head")):
            np.testing.assert_array_equal(now[channel], keys)
    after = shape_of(armature, frames)
    far = (frames < begin - 1.01) | (frames > end + 1.01)
    assert np.abs(after - shape)[:, far].max() < 1e-6 and np.abs(after - shape).max() > 0.05
    assert np.abs(np.diff(after, axis=1)).max() < 1.5 * np.abs(np.diff(shape, axis=1)).max()  # no jump where it goes on
    for channel, keys in every_key(own).items():
        np.testing.assert_array_equal(keys, mine[channel])  # they have a take of their own
    found = measure_scene(scene)
    assert found.scores.notes.hits == found.scores.notes.reference == found.scores.notes.estimated
    assert found.scores.right_finger == 1.0 and found.fit.gap_p95 < 0.002


@pytest.mark.skipif(not rigify_rigs.available(), reason="this Blender has no Rigify")
def test_a_changed_finger_moves_ik_controls(scene):
    settings = settings_of(scene)
    settings.character = rigify_rigs.build(Make("rigify_metarig", arms=35, curl=9), generated=True, face=False)
    bpy.ops.s2c.bake_character()
    was = every_key(settings.character)
    note = settings.notes[9]
    note.finger = note.finger % 5 + 1
    bpy.ops.s2c.solve_fingers()
    now = every_key(settings.character)
    changed = {path for path, index in was if not np.array_equal(was[path, index], now[path, index])}
    assert any("hand_ik" in path and path.endswith("location") for path in changed)
    assert not any("IK_FK" in path or "spine" in path for path in changed)
    found = measure_scene(scene, start=note.onset - 1.0, end=note.onset + 1.0)
    assert found.scores.notes.hits == found.scores.notes.reference > 2 and found.fit.gap_p95 < 0.002


def test_the_list_is_that_of_whoever_plays(scene):
    settings = settings_of(scene)
    own = Clip.load(Path(scene["s2c_take"]))
    # A hand without a little finger needs other fingers.
    settings.character = character_rigs.build(Make("mixamo", without=frozenset({"pinky1", "pinky2", "pinky3"}), hand=0.8))
    bpy.ops.s2c.bake_character()
    clip = Clip.load(Path(scene["s2c_take"]))
    assert [note.finger for note in settings.notes] == [f for f in clip.fingering.finger.tolist() if f]
    assert clip.fingering.finger.tolist() != own.fingering.finger.tolist()
    bpy.ops.s2c.take_off_character()
    assert [note.finger for note in settings.notes] == own.fingering.finger.tolist()
