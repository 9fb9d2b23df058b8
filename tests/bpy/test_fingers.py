# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers by hand in the scene: only what is around a changed note changes, and what the person did elsewhere stays."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender.motion.key_motion import key_motion  # noqa: E402
from s2c_blender.ops.note_list import list_notes  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene import finger_numbers  # noqa: E402
from s2c_blender.scene.action import curves_of  # noqa: E402
from s2c_blender.scene.action_edit import Points  # noqa: E402
from s2c_blender.scene.timing import frame_at  # noqa: E402
from s2c_blender.ui.fingers import AFTER, BEFORE, notes_in_view  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.keyboard import Keyboard  # noqa: E402
from s2c_blender.wire.notes import UNPLAYED  # noqa: E402


def every_key(scene):
    """All keyframes of all objects, by object and channel."""
    return {
        (thing.name, curve.data_path, curve.array_index): Points.of(curve).co.copy()
        for thing in scene.objects
        for curve in curves_of(thing)
        if not thing.name.startswith("Finger ")
    }


def other_finger(note):
    return note.finger % 5 + 1


def test_the_list_has_every_note_with_its_finger_and_shows_what_is_near(scene):
    clip, settings = Clip.load(Path(scene["s2c_take"])), settings_of(scene)
    assert [note.pitch for note in settings.notes] == [event.pitch for event in clip.score.notes]
    assert [note.finger for note in settings.notes] == clip.fingering.finger.tolist()
    scene.frame_set(round(frame_at(scene, 6.0)))
    shown = [note.onset for note, near in zip(settings.notes, notes_in_view(scene), strict=True) if near]
    assert shown == [note.onset for note in settings.notes if 6.0 - BEFORE - 1e-3 <= note.onset <= 6.0 + AFTER + 1e-3]
    assert 0 < len(shown) < 24
    settings.notes_near = False
    assert notes_in_view(scene).all()


def test_another_finger_changes_keys_around_it_alone_and_what_was_done_by_hand_stays(scene):
    settings = settings_of(scene)
    hand = next(thing for thing in scene.objects if thing.get("s2c_hand") == "right" and thing.type == "ARMATURE")
    curve = next(curve for curve in curves_of(hand) if "middle2" in curve.data_path)
    curve.keyframe_points[-5].co[1] += 0.25  # the person's own doing, at the end
    before, first = every_key(scene), scene["s2c_take"]
    note = settings.notes[2]
    note.finger = other_finger(note)
    wanted, onset = note.finger, note.onset
    began = time.perf_counter()
    assert bpy.ops.s2c.solve_fingers() == {"FINISHED"}
    took = time.perf_counter() - began
    assert took < 4.0  # 2 on a quiet computer
    assert scene["s2c_take"] != first and Path(first).is_file()
    clip = Clip.load(Path(scene["s2c_take"]))
    assert clip.fingering.finger[2] == settings.notes[2].finger == wanted and settings.notes[2].fixed
    after, changed = every_key(scene), []
    assert after.keys() == before.keys()
    for name, was in before.items():
        now = after[name]
        late = was[:, 0] > frame_at(scene, onset + 5.5)
        np.testing.assert_array_equal(now[now[:, 0] > frame_at(scene, onset + 5.5)], was[late])
        if not np.array_equal(now, was):
            changed.append(name)
    assert {name for name, _, _ in changed} >= {hand.name}
    strikes = key_motion(clip.score, clip.fingering).strikes
    assert strikes
    print(f"{took:.2f} s from press to scene")


def test_hands_in_the_scene_are_those_of_the_new_clip(scene):
    settings = settings_of(scene)
    for index in (3, 4):
        settings.notes[index].finger = other_finger(settings.notes[index])
    bpy.ops.s2c.solve_fingers()
    clip = Clip.load(Path(scene["s2c_take"]))
    hand = next(thing for thing in scene.objects if thing.get("s2c_hand") == "right" and thing.type == "ARMATURE")
    for frame in (0, 130, 170, 215, 260, 700):
        place = frame_at(scene, clip.times[frame])
        scene.frame_set(int(place), subframe=place % 1.0)
        np.testing.assert_allclose(hand.pose.bones["wrist.R"].head, clip.translation[frame, 0], atol=1e-5)
        turned = hand.pose.bones["index2.R"].matrix_basis.to_quaternion()
        assert abs(turned.angle - 2 * np.arccos(min(1.0, abs(clip.rotation[frame, 0, 2, 0])))) < 2e-3


def test_what_cannot_be_played_is_said_and_changes_nothing(scene):
    settings = settings_of(scene)
    before, first = every_key(scene), scene["s2c_take"]
    settings.notes[3].hand = "LEFT" if settings.notes[3].hand == "RIGHT" else "RIGHT"
    Path(first).rename(Path(first).with_suffix(".away"))
    with pytest.raises(RuntimeError, match="is gone"):
        bpy.ops.s2c.solve_fingers()
    Path(first).with_suffix(".away").rename(first)
    assert scene["s2c_take"] == first
    for name, was in every_key(scene).items():
        np.testing.assert_array_equal(was, before[name])
    bpy.ops.s2c.forget_fingers()
    assert not bpy.ops.s2c.solve_fingers.poll()


def test_fixed_fingers_stay_when_the_piece_is_generated_again_if_they_are_to(scene):
    settings = settings_of(scene)
    settings.notes[5].finger = wanted = other_finger(settings.notes[5])
    bpy.ops.s2c.solve_fingers()
    settings.seed = 3
    bpy.ops.s2c.generate()
    assert settings.notes[5].finger == wanted and settings.notes[5].fixed
    settings.keep_fingers = False
    bpy.ops.s2c.generate()
    assert not any(note.fixed for note in settings.notes) and settings.notes[5].finger != wanted


def test_numbers_stand_over_the_keys_that_are_played_and_go_again(scene):
    objects, data = len(scene.objects), len(bpy.data.curves)
    bpy.ops.s2c.finger_numbers()
    assert len(scene.objects) == objects + 10
    clip, x = Clip.load(Path(scene["s2c_take"])), Keyboard().x
    texts = {(thing.name[-1], thing.data.body): thing for thing in scene.objects if thing.type == "FONT"}
    for index in (0, 7, 15):
        fingering, event = clip.fingering, clip.score.notes[index]
        place = frame_at(scene, float(fingering.strike[index]) + 0.05)
        scene.frame_set(int(place), subframe=place % 1.0)
        shown = {key for key, thing in texts.items() if thing.matrix_world.to_scale().x > 0.5}
        key = ("RL"[fingering.hand[index]], str(fingering.finger[index]))
        assert key in shown
        assert texts[key].matrix_world.translation.x == pytest.approx(x[event.pitch - 21], abs=1e-5)
    scene.frame_set(scene.frame_start)
    assert not [thing for thing in texts.values() if thing.matrix_world.to_scale().x > 0.01]
    settings = settings_of(scene)
    settings.notes[2].finger = other_finger(settings.notes[2])
    bpy.ops.s2c.solve_fingers()
    assert finger_numbers.shown(scene) and len(scene.objects) == objects + 10
    bpy.ops.s2c.finger_numbers()
    assert (len(scene.objects), len(bpy.data.curves)) == (objects, data)
    assert not finger_numbers.shown(scene) and not [a for a in bpy.data.actions if a.name.startswith("Finger")]


def test_numbers_are_those_of_the_notes_in_the_list(scene):
    """As when a character with other hands comes to play."""
    bpy.ops.s2c.finger_numbers()
    clip = Clip.load(Path(scene["s2c_take"]))
    place = frame_at(scene, float(clip.fingering.strike[7]) + 0.05)
    for finger, count in ((clip.fingering.finger[7], 1), (UNPLAYED, 0)):
        only = np.where(np.arange(len(clip.score.notes)) == 7, finger, UNPLAYED)
        list_notes(scene, replace(clip, fingering=replace(clip.fingering, finger=only)))
        scene.frame_set(int(place), subframe=place % 1.0)
        shown = [thing for thing in scene.objects if thing.type == "FONT" and thing.matrix_world.to_scale().x > 0.5]
        assert len(shown) == len(settings_of(scene).notes) == count


def test_numbers_go_with_the_take(scene):
    from s2c_blender.scene.stage import remove_take

    bpy.ops.s2c.finger_numbers()
    remove_take(scene)
    assert not bpy.data.collections and not bpy.data.curves and not bpy.data.actions


def test_the_panel_draws_and_counts_what_was_changed(scene):
    from s2c_blender.ui.fingers import S2C_PT_fingers

    drawn = []

    class Layout:
        enabled = alert = True
        scale_x = scale_y = 1.0

        def row(self, **_):
            return self

        column = row

        def label(self, *, text, **_):
            drawn.append(text)

        def prop(self, owner, name, **_):
            assert name in owner.bl_rna.properties

        def operator(self, name, text="", **_):
            drawn.append(text or name)

        def template_list(self, name, *_, **__):
            drawn.append(name)

    settings_of(scene).notes[1].finger = other_finger(settings_of(scene).notes[1])
    context = SimpleNamespace(scene=scene, region=SimpleNamespace(width=400))
    S2C_PT_fingers.draw(SimpleNamespace(layout=Layout()), context)
    assert "Solve 1 Changed" in drawn and "S2C_UL_notes" in drawn and "s2c.finger_numbers" in drawn
    settings_of(scene).notes.clear()
    S2C_PT_fingers.draw(SimpleNamespace(layout=Layout()), context)
    assert "s2c.list_notes" in drawn
