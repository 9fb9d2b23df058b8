# SPDX-License-Identifier: GPL-3.0-or-later
"""A take on a character moved, trimmed and retimed: it plays on, nothing is left over, and our own hands' take goes along."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene.action import BELOW, curves_of  # noqa: E402
from s2c_blender.scene.action_edit import Points  # noqa: E402
from s2c_blender.scene.contact import measure_scene  # noqa: E402
from s2c_blender.scene.timing import frame_at, rate  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide  # noqa: E402
from tests import character_rigs, kept_scenes  # noqa: E402
from tests.character_rigs import Make  # noqa: E402


@pytest.fixture(scope="module")
def baked(tmp_path_factory):
    """A take of 8 notes, 4.8 s long, on a character."""
    folder = tmp_path_factory.mktemp("edit")

    def make(scene):
        scene.render.fps = 60
        kept_scenes.generate(scene, folder, notes=8)
        settings_of(scene).character = character_rigs.build(Make("unreal4", arms=30))
        bpy.ops.s2c.bake_character()

    return kept_scenes.keep(folder / "baked.blend", make)


@pytest.fixture
def scene(baked):
    with kept_scenes.opened(baked) as scene:
        yield scene


def tips(scene, frame):
    """(10, 3) the fingertips."""
    armature = settings_of(scene).character
    scene.frame_set(int(frame // 1), subframe=frame % 1.0)
    words = ("thumb", "index", "middle", "ring", "pinky")
    names = [f"{words[finger]}_03_{'rl'[side]}" for side in HandSide for finger in range(len(FINGER_JOINTS))]
    return np.array([armature.matrix_world @ armature.pose.bones[name].tail for name in names])


def check_plays(scene, *, notes):
    """Whoever plays, plays what its clip says."""
    clip = Clip.load(Path(scene["s2c_take"]))
    assert len(clip.score.notes) == notes
    found = measure_scene(scene, end=clip.score.duration)
    assert found.scores.notes.hits == found.scores.notes.reference == found.scores.notes.estimated > 0
    assert found.fit.gap_p95 < 0.002
    return clip


def check_comes_off(scene, *, notes):
    """The character's take is its own still, and our own hands play what was edited with it."""
    armature = settings_of(scene).character
    assert scene["s2c_take"] == armature["s2c_take"]
    assert bpy.ops.s2c.take_off_character() == {"FINISHED"}
    assert check_plays(scene, notes=notes).hands is None
    assert not curves_of(armature)


def test_moved(scene):
    frame = round(frame_at(scene, 2.0))
    before = tips(scene, frame)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 100, 200
    bpy.ops.s2c.move_take(frames=37)
    assert np.abs(tips(scene, frame + 37) - before).max() < 1e-6
    assert (scene.frame_preview_start, scene.frame_preview_end) == (137, 237)
    check_plays(scene, notes=8)
    check_comes_off(scene, notes=8)


def test_trimmed(scene):
    first, last = round(frame_at(scene, 1.0)), round(frame_at(scene, 3.1))
    cameras = [bpy.data.objects.new(name, bpy.data.cameras.new(name)) for name in ("one", "two")]
    for name, frame, camera in (("a", 20, None), ("one", 30, cameras[0]), ("two", first - 9, cameras[1]), ("b", first + 5, None)):
        scene.timeline_markers.new(name, frame=frame).camera = camera
    for name, frame in (("c", last + 7), ("mine", scene.frame_end + 500)):
        scene.timeline_markers.new(name, frame=frame)
    wanted = {frame: tips(scene, frame) for frame in range(first, last + 1, 15)}
    bpy.ops.s2c.trim_take(first=first, last=last)
    for frame, places in wanted.items():
        assert np.abs(tips(scene, frame) - places).max() < 1e-6
    assert {marker.name: marker.frame for marker in scene.timeline_markers} == {
        "two": first,
        "b": first + 5,
        "mine": scene.timeline_markers["mine"].frame,
    }
    for thing in scene.objects:
        for curve in curves_of(thing):
            frames = Points.of(curve).co[:, 0]
            assert len(frames) and frames[0] >= first - 0.02 and frames[-1] <= last + 0.02, (thing.name, curve.data_path)
    inside = [event for event in Clip.load(Path(scene["s2c_take"])).score.notes if 1.0 <= event.onset < 3.1]
    check_plays(scene, notes=len(inside))
    check_comes_off(scene, notes=len(inside))


@pytest.mark.parametrize("speed", [80.0, 150.0])
def test_retimed(scene, speed):
    factor, zero, fps = 100.0 / speed, scene["s2c_start_frame"], rate(scene)
    before = tips(scene, zero + 2.0 * fps)
    bpy.ops.s2c.retime_take(speed=speed)
    assert np.abs(tips(scene, frame_at(scene, 2.0 * factor)) - before).max() < 1e-5
    check_plays(scene, notes=8)
    note = settings_of(scene).notes[3]
    note.finger = note.finger % 5 + 1
    bpy.ops.s2c.solve_fingers()
    check_plays(scene, notes=8)
    bpy.ops.s2c.take_off_character()
    check_plays(scene, notes=8)


def test_arms_follow_a_body_that_moves_by_itself(scene):
    armature = settings_of(scene).character
    bpy.ops.s2c.take_off_character()
    for frame, value in ((1, 0.0), (120, 0.05), (300, 0.0)):
        armature.pose.bones["pelvis"].location.x = value
        armature.pose.bones["pelvis"].keyframe_insert("location", index=0, frame=frame)
    dance = armature.animation_data.action
    settings_of(scene).character_seated = False
    bpy.ops.s2c.bake_character()
    check_plays(scene, notes=8)
    for edit in (lambda: bpy.ops.s2c.move_take(frames=60), lambda: bpy.ops.s2c.retime_take(speed=125.0)):
        edit()
        assert armature.animation_data.nla_tracks[BELOW].strips[0].action == dance
        assert [key.co.x for key in next(c for c in dance.layers[0].strips[0].channelbags[0].fcurves).keyframe_points] == [
            1,
            120,
            300,
        ]
        check_plays(scene, notes=8)


def test_bars_made_anew_are_the_characters_and_our_own_hands_keep_their_take(scene):
    settings = settings_of(scene)
    bpy.ops.s2c.take_off_character()
    settings.character = character_rigs.build(Make("vroid", hand=0.75, prefix="J_Bip_"), "Small")
    bpy.ops.s2c.bake_character()
    first = scene["s2c_take"]
    settings.part_by, settings.part_begin, settings.part_end, settings.part_seed = "SECONDS", 1.0, 3.0, 5
    assert bpy.ops.s2c.make_anew() == {"FINISHED"}
    assert scene["s2c_take"] == settings.character["s2c_take"] != first
    check_plays(scene, notes=8)
    check_comes_off(scene, notes=8)
