# SPDX-License-Identifier: GPL-3.0-or-later
"""A take moved, trimmed and retimed: hands, keys, sound, markers and time zero stay together, and the clip fits the scene."""

import wave
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender import registration  # noqa: E402
from s2c_blender.motion.stretch import stretched  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene.action import curves_of  # noqa: E402
from s2c_blender.scene.action_edit import Points  # noqa: E402
from s2c_blender.scene.audio import sound_strip  # noqa: E402
from s2c_blender.scene.timing import frame_at, rate  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from tests import midi_files  # noqa: E402


@pytest.fixture
def scene(tmp_path):
    """A take of 12 notes, 7 s long, at 60 frames a second, and two markers, one of them behind it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    scene = bpy.context.scene
    scene.render.fps = 60
    settings = settings_of(scene)
    settings.piece, settings.folder = str(midi_files.piece(tmp_path / "piece.mid", notes=12, seconds_apart=0.6)), str(tmp_path)
    bpy.ops.s2c.generate()
    scene.timeline_markers.new("inside", frame=200)
    scene.timeline_markers.new("outside", frame=3000)
    yield scene
    registration.unregister()


def hand_of(scene):
    return next(thing for thing in scene.objects if thing.get("s2c_hand") == "right" and thing.type == "ARMATURE")


def wrist(scene, frame):
    scene.frame_set(int(frame // 1), subframe=frame % 1.0)
    return np.array(hand_of(scene).pose.bones["wrist.R"].head)


def key_angle(scene, pitch, frame):
    scene.frame_set(int(frame // 1), subframe=frame % 1.0)
    return next(thing for thing in scene.objects if thing.get("midi_pitch") == pitch).rotation_euler.x


def check_fits(scene):
    """The scene plays what its clip says: wrists where they are, and each key most of the way down after its onset."""
    clip = Clip.load(Path(scene["s2c_take"]))
    for index in np.linspace(2, len(clip.times) - 3, 12).astype(int):
        place = frame_at(scene, float(clip.times[index]))
        np.testing.assert_allclose(wrist(scene, place), clip.translation[index, 0], atol=4e-4)
    assert clip.score.notes
    for event in clip.score.notes:
        before, after = (key_angle(scene, event.pitch, frame_at(scene, event.onset + by)) for by in (-0.25, 0.12))
        assert abs(after) > 0.035 > 5 * abs(before), event
    return clip


def test_moved_all_comes_later_by_as_much(scene):
    start, ends = scene["s2c_start_frame"], (scene.frame_start, scene.frame_end)
    strip = sound_strip(scene)
    sound, place = strip.frame_final_start, wrist(scene, 150)
    assert bpy.ops.s2c.move_take(frames=37) == {"FINISHED"}
    assert scene["s2c_start_frame"] == start + 37 and (scene.frame_start, scene.frame_end) == (ends[0] + 37, ends[1] + 37)
    assert sound_strip(scene).frame_final_start == sound + 37
    assert [marker.frame for marker in scene.timeline_markers] == [237, 3000]
    np.testing.assert_allclose(wrist(scene, 187), place, atol=1e-6)
    check_fits(scene)
    scene.frame_set(500)
    bpy.ops.s2c.move_take()
    assert scene["s2c_start_frame"] == 500.0
    check_fits(scene)


def test_trimmed_only_the_range_is_left_and_moves_as_it_did(scene, tmp_path):
    first, last = round(frame_at(scene, 2.0)), round(frame_at(scene, 5.0))
    wanted = {frame: wrist(scene, frame) for frame in range(first, last + 1, 20)}
    old, start = scene["s2c_take"], scene["s2c_start_frame"]
    assert bpy.ops.s2c.trim_take(first=first, last=last) == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end, scene["s2c_start_frame"]) == (first, last, start)
    for frame, place in wanted.items():
        np.testing.assert_allclose(wrist(scene, frame), place, atol=1e-6)
    for thing in scene.objects:
        for curve in curves_of(thing):
            frames = Points.of(curve).co[:, 0]
            assert len(frames) and frames[0] >= first - 0.02 and frames[-1] <= last + 0.02, (thing.name, curve.data_path)
    strip = sound_strip(scene)
    assert (strip.frame_final_start, strip.frame_final_end) == (first, last)
    assert strip.frame_start == pytest.approx(start)
    clip = check_fits(scene)
    assert {round(event.onset, 3) for event in clip.score.notes} == {2.4, 3.0, 3.6, 4.2, 4.8}
    assert Path(old).is_file() and len(settings_of(scene).notes) == 5


@pytest.mark.parametrize("speed", [80.0, 150.0])
def test_retimed_hands_keys_sound_and_markers_keep_together(scene, speed):
    zero, fps = scene["s2c_start_frame"], rate(scene)
    place, seconds = wrist(scene, zero + 2.0 * fps), (200 - zero) / fps
    length = sound_strip(scene).frame_final_duration
    assert bpy.ops.s2c.retime_take(speed=speed) == {"FINISHED"}
    factor = 100.0 / speed
    np.testing.assert_allclose(wrist(scene, frame_at(scene, 2.0 * factor)), place, atol=1e-5)
    strip = sound_strip(scene)
    assert strip.frame_final_start == scene["s2c_start_frame"]
    assert strip.frame_final_duration == pytest.approx(length * factor, abs=2)
    assert scene.timeline_markers["inside"].frame == round(frame_at(scene, seconds * factor))
    assert scene.timeline_markers["outside"].frame == 3000
    clip = check_fits(scene)
    assert clip.score.notes[5].onset == pytest.approx(3.0 * factor) and scene["s2c_start_frame"] - 1 >= 0.99 * factor * fps


def test_a_finger_can_be_changed_after_all_that(scene):
    bpy.ops.s2c.retime_take(speed=80.0)
    bpy.ops.s2c.move_take(frames=24)
    bpy.ops.s2c.trim_take(first=scene.frame_start + 150, last=scene.frame_end)
    note = settings_of(scene).notes[3]
    note.finger = note.finger % 5 + 1
    assert bpy.ops.s2c.solve_fingers() == {"FINISHED"}
    check_fits(scene)


def test_a_range_without_the_take_is_refused_and_all_stays(scene):
    old, end = scene["s2c_take"], scene.frame_end
    with pytest.raises(RuntimeError, match="nothing is left"):
        bpy.ops.s2c.trim_take(first=end + 50, last=end + 90)
    assert (scene["s2c_take"], scene.frame_end) == (old, end)


def test_stretched_sound_has_the_length_and_the_pitch(tmp_path):
    rate_, tone = 22050, 440.0
    time = np.arange(2 * rate_) / rate_
    sound = (0.5 * np.sin(2 * np.pi * tone * time))[:, None].astype(np.float32)
    for factor in (0.6, 1.0, 1.7):
        longer = stretched(sound, factor, rate=rate_)[:, 0]
        assert len(longer) == round(len(sound) * factor)
        heard = np.fft.rfftfreq(len(longer), 1 / rate_)[np.argmax(np.abs(np.fft.rfft(longer)))]
        assert heard == pytest.approx(tone, abs=2.0)
        inner = longer[rate_ // 10 : -rate_ // 10]
        assert np.sqrt(np.mean(inner**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_strokes_in_stretched_sound_come_when_they_are_due():
    rate_ = 22050
    sound = np.zeros((3 * rate_, 1), dtype=np.float32)
    random = np.random.default_rng(0)
    onsets = (0.5, 1.2, 2.1)
    for onset in onsets:
        tail = np.exp(-np.arange(rate_ // 3) / (0.05 * rate_)) * random.standard_normal(rate_ // 3)
        sound[int(onset * rate_) :][: len(tail), 0] += 0.3 * tail.astype(np.float32)
    for factor in (0.75, 1.4):
        longer = np.abs(stretched(sound, factor, rate=rate_)[:, 0])
        for onset in onsets:
            around = longer[int((onset * factor - 0.1) * rate_) : int((onset * factor + 0.1) * rate_)]
            begins = np.flatnonzero(around > 0.1)[0] / rate_ - 0.1
            assert abs(begins) < 0.03


def test_the_stretched_file_can_be_read(scene):
    bpy.ops.s2c.retime_take(speed=80.0)
    path = Path(bpy.path.abspath(sound_strip(scene).sound.filepath))
    with wave.open(str(path)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(
            sound_strip(scene).frame_final_duration / rate(scene), abs=0.05
        )
