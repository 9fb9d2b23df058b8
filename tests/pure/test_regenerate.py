# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a take made anew: all else stays bit for bit, there is no seam, and fingers stay on their keys through it."""

from dataclasses import replace

import numpy as np
import pytest

from backend.data.camera_model import CameraModel
from backend.perform import Settings, perform
from backend.perform.reassign import reassign
from backend.perform.regenerate import regenerate
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.skeleton import pad_points
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import NoteEvent, Score
from tests.filmed import as_s2c

SKELETON = hand_skeleton(load_hand_rig())
BEGIN, END = 3.0, 7.0


@pytest.fixture(scope="module")
def planned() -> Clip:
    notes = [NoteEvent(t, t + 0.35, (72, 74, 76, 77, 79, 77, 76, 74)[k % 8], 70) for k, t in enumerate(np.arange(0.0, 10.0, 0.4))]
    notes += [NoteEvent(t, t + 0.7, (48, 52, 55, 52)[k % 4], 55) for k, t in enumerate(np.arange(0.0, 10.0, 0.8))]
    return perform(Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch)))))


@pytest.fixture(scope="module")
def filmed(planned: Clip) -> Clip:
    return as_s2c(planned, CameraModel(offset=(0.1, 0.02), scale=0.95))


@pytest.fixture(scope="module")
def near(planned: Clip, filmed: Clip) -> Clip:
    return perform(planned.score, prior=filmed)


def other_motion(planned: Clip) -> Clip:
    """The same camera over another performance, of some seconds around the part only, as S2C is asked for it."""
    whole = as_s2c(perform(planned.score, Settings(seed=5, style=1.0)), CameraModel(offset=(0.1, 0.02), scale=0.95), seed=1)
    first, last = (round((time - whole.start) * whole.rate) for time in (BEGIN - 2.0, END + 2.0))
    return replace(
        whole,
        rotation=whole.rotation[first:last],
        translation=whole.translation[first:last],
        start=whole.start + first / whole.rate,
    )


def joint_accelerations(clip: Clip) -> np.ndarray:
    """(T - 2,) the largest change of any joint's speed, degrees a second, at the frame in the middle of three."""
    turns = clip.rotation.astype(float)
    step = 2.0 * np.degrees(np.arccos(np.clip(np.abs(np.sum(turns[1:] * turns[:-1], axis=-1)), 0.0, 1.0))) * clip.rate
    return np.abs(np.diff(step, axis=0)).max(axis=(1, 2))


def check(before: Clip, after: Clip) -> None:
    kept = (before.times < BEGIN) | (before.times > END + 1.0 / before.rate)
    np.testing.assert_array_equal(after.rotation[kept], before.rotation[kept])
    np.testing.assert_array_equal(after.translation[kept], before.translation[kept])
    assert after.score == before.score and after.fingering is before.fingering
    middle = np.abs(after.times - 0.5 * (BEGIN + END)) < 0.5
    turned = np.abs(np.sum(after.rotation[middle].astype(float) * before.rotation[middle], axis=-1))
    assert np.degrees(2.0 * np.arccos(np.clip(turned, 0.0, 1.0))).mean() > 1.0
    # No seam: around its ends nothing jumps that did not jump before.
    ends = (np.abs(before.times[1:-1] - BEGIN) < 0.1) | (np.abs(before.times[1:-1] - END) < 0.1)
    was, becomes = (joint_accelerations(clip)[ends].max() for clip in (before, after))
    assert becomes < 1.15 * was + 5.0
    # Through it the fingers are on their keys.
    assert depths(after).max() < 0.0015 and depths(before).max() < 0.0015


def depths(clip: Clip) -> np.ndarray:
    """(N,) by how much each note's finger stays above its key's top, one frame after the strike; negative below."""
    fingering = clip.fingering
    frames = np.rint((fingering.strike - clip.start) * clip.rate).astype(int) + 1
    pads = pad_points(SKELETON, clip.rotation[frames].astype(float), clip.translation[frames].astype(float))
    lowest = pads[np.arange(len(frames)), fingering.hand, fingering.finger - 1, :, 2].min(axis=-1)
    return lowest - Keyboard().top[[note.pitch - LOWEST for note in clip.score.notes]]


def test_the_planner_makes_bars_anew_with_another_seed(planned: Clip) -> None:
    after = regenerate(planned, (BEGIN, END), Settings(seed=7, style=1.0))
    check(planned, after)
    assert after.made["again"] == [{"begin": BEGIN, "end": END, "seed": 7, "prior": "planner"}] and after.made["seed"] == 0
    twice = regenerate(planned, (BEGIN, END), Settings(seed=7, style=1.0))
    np.testing.assert_array_equal(twice.rotation, after.rotation)


def test_another_generated_motion_goes_into_bars_of_a_generated_take(planned: Clip, near: Clip) -> None:
    check(near, regenerate(near, (BEGIN, END), Settings(), prior=other_motion(planned)))


def test_a_raw_take_without_notes_goes_over_into_another_and_back(planned: Clip, filmed: Clip) -> None:
    after = regenerate(filmed, (BEGIN, END), Settings(), prior=other_motion(planned))
    kept = (filmed.times < BEGIN) | (filmed.times > END + 1.0 / filmed.rate)
    np.testing.assert_array_equal(after.rotation[kept], filmed.rotation[kept])
    assert np.abs(np.diff(after.translation, axis=0)).max() < 2.0 * np.abs(np.diff(filmed.translation, axis=0)).max()
    with pytest.raises(PianoHandsError) as caught:
        regenerate(filmed, (BEGIN, END), Settings())
    assert caught.value.code == "no-notes"


@pytest.mark.parametrize("between", [(3.0, 3.5), (5.0, 3.0), (50.0, 60.0)])
def test_a_part_that_is_none_is_refused(planned: Clip, between: tuple[float, float]) -> None:
    with pytest.raises(PianoHandsError) as caught:
        regenerate(planned, between, Settings())
    assert caught.value.code == "bad-range" and caught.value.hint


def test_another_finger_in_a_generated_take_leaves_its_motion(planned: Clip, near: Clip) -> None:
    """The surroundings are solved near what was generated, not planned anew."""
    note = next(i for i, event in enumerate(near.score.notes) if event.onset > 5.0 and near.fingering.hand[i] == HandSide.RIGHT)
    finger = {1: 2, 2: 3, 3: 4, 4: 3, 5: 4}[int(near.fingering.finger[note])]
    changed = reassign(near, {note: (HandSide.RIGHT, finger)})
    frames = np.abs(near.times - near.score.notes[note].onset) < 2.0
    turned = np.sum(changed.rotation[frames].astype(float) * near.rotation[frames], axis=-1)
    degrees = np.degrees(2.0 * np.arccos(np.clip(np.abs(turned), 0.0, 1.0)))
    assert np.median(degrees[:, HandSide.LEFT, 1:]) < 1.0 and degrees[:, HandSide.RIGHT, 1:].max() > 3.0
