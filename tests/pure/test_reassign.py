# SPDX-License-Identifier: GPL-3.0-or-later
"""Another finger for a note: what changes, what stays, and what is refused."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.perform import perform
from backend.perform.manner import manner
from backend.perform.reassign import AROUND, plan_around, reassign
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.joint_limits import violations
from s2c_blender.motion.skeleton import pad_points
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import NoteEvent, Score

RIGHT, LEFT = HandSide


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A melody over broken chords; a third in the right hand at its end."""
    melody = (72, 74, 76, 77, 79, 77, 76, 74)
    notes = [NoteEvent(t, t + 0.7, melody[k % 8], 70, RIGHT) for k, t in enumerate(np.arange(0.0, 28.0, 0.8))]
    notes += [NoteEvent(t, t + 0.35, (48, 52, 55, 52)[k % 4], 55, LEFT) for k, t in enumerate(np.arange(0.0, 28.0, 0.4))]
    notes += [NoteEvent(29.0, 30.0, pitch, 70, RIGHT) for pitch in (72, 76)]
    return perform(Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch)))))


@pytest.fixture(scope="module")
def note(clip: Clip) -> int:
    """A note of the right hand in the middle."""
    return next(i for i, event in enumerate(clip.score.notes) if event.onset > 14.0 and event.hand is RIGHT)


def _other_finger(clip: Clip, note: int) -> int:
    return {1: 2, 2: 3, 3: 4, 4: 3, 5: 4}[int(clip.fingering.finger[note])]


@pytest.fixture(scope="module")
def changed(clip: Clip, note: int) -> Clip:
    return reassign(clip, {note: (RIGHT, _other_finger(clip, note))})


def test_all_that_is_far_from_the_note_stays_bit_for_bit(clip: Clip, changed: Clip, note: int) -> None:
    event = clip.score.notes[note]
    # A neighbour may leave its key otherwise; the surroundings count from there.
    far = (clip.times < event.onset - AROUND - 1.0) | (clip.times > event.offset + AROUND + 1.0)
    assert far.mean() > 0.6
    np.testing.assert_array_equal(changed.rotation[far], clip.rotation[far])
    np.testing.assert_array_equal(changed.translation[far], clip.translation[far])
    assert (changed.rotation != clip.rotation).any()
    fingers = np.flatnonzero(changed.fingering.finger != clip.fingering.finger)
    assert fingers.tolist() == [note]
    assert changed.score.notes[note].finger == changed.fingering.finger[note]
    moved = np.flatnonzero(
        (changed.fingering.release != clip.fingering.release) | (changed.fingering.strike != clip.fingering.strike)
    )
    assert all(abs(clip.score.notes[i].onset - event.onset) < AROUND for i in moved)


def test_the_other_hand_stays_bit_for_bit_unless_it_is_near(clip: Clip, changed: Clip, note: int) -> None:
    np.testing.assert_array_equal(changed.rotation[:, LEFT], clip.rotation[:, LEFT])
    np.testing.assert_array_equal(changed.translation[:, LEFT], clip.translation[:, LEFT])
    near = replace(clip, translation=clip.translation + np.array([[[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]]], dtype=np.float32))
    both = reassign(near, {note: (RIGHT, _other_finger(clip, note))})
    assert (both.rotation[:, LEFT] != clip.rotation[:, LEFT]).any()


def test_it_takes_about_a_quarter_of_a_second(clip: Clip, note: int) -> None:
    begin = time.process_time()
    reassign(clip, {note: (RIGHT, _other_finger(clip, note))})
    assert time.process_time() - begin < 2.0  # leaves room for a busy computer


def test_where_new_meets_old_there_is_no_seam(clip: Clip, changed: Clip) -> None:
    where = np.flatnonzero((changed.rotation != clip.rotation).any(axis=(1, 2, 3)))
    second = round(clip.rate)
    for edge in (slice(where[0] - 4, where[0] + second), slice(where[-1] - second, where[-1] + 5)):
        for name, spare in (("translation", 0.0003), ("rotation", 0.01)):
            bend, before = (np.abs(np.diff(getattr(c, name)[edge].astype(float), n=2, axis=0)).max() for c in (changed, clip))
            assert bend < 1.2 * before + spare
    dots = np.sum(changed.rotation[1:] * changed.rotation[:-1], axis=-1)
    assert dots.min() > 0.9
    np.testing.assert_allclose(np.linalg.norm(changed.rotation, axis=-1), 1.0, atol=1e-5)


def test_the_named_finger_presses_the_key(changed: Clip, note: int) -> None:
    keyboard, key = Keyboard(changed.octave), changed.score.notes[note].pitch - LOWEST
    skeleton = hand_skeleton(load_hand_rig())
    middle = (changed.fingering.strike[note] + changed.fingering.release[note]) / 2
    frame = int(np.searchsorted(changed.times, middle))
    pads = pad_points(
        skeleton, changed.rotation[frame : frame + 1].astype(float), changed.translation[frame : frame + 1].astype(float)
    )
    points = pads[0, RIGHT, changed.fingering.finger[note] - 1]
    lowest = points[np.argmin(points[:, 2])]
    assert abs(lowest[0] - keyboard.x[key]) < keyboard.half_width[key]
    assert (keyboard.top[key] - lowest[2]) / keyboard.travel(key, lowest[1]) > 0.9
    assert not violations(skeleton, changed.rotation).any()


def test_surroundings_are_planned_as_in_the_whole_take() -> None:
    """However long a hand rests, and wherever its frames begin: else it would be led over to somewhere else for a change."""
    melody = [NoteEvent(t, t + 0.4, 60 + k % 12, 70, LEFT) for k, t in enumerate(np.arange(0.0, 40.0, 0.47))]
    far = [NoteEvent(t, t + 0.4, pitch, 70, RIGHT) for t, pitch in ((1.0, 84), (1.72, 85), (36.3, 67), (37.1, 69))]
    clip = perform(Score(tuple(sorted(melody + far, key=lambda note: note.onset))))
    whole = _planned(clip, 0, len(clip.rotation))
    for first in (300, 1201, 1406):
        np.testing.assert_allclose(_planned(clip, first, first + 150), whole[first : first + 150], atol=1e-4)


def _planned(clip: Clip, first: int, last: int) -> np.ndarray:
    """(last - first, H, 6) wrists."""
    plan, known, _ = plan_around(clip, hand_skeleton(load_hand_rig()), first, last, manner(0.5, 0))
    return plan.wrists[first - known : last - known]


def test_the_other_hand_can_take_a_note(clip: Clip) -> None:
    last = len(clip.score.notes) - 1
    given = reassign(clip, {last: (LEFT, 1)})
    assert given.fingering.hand[last] == LEFT
    pads = pad_points(hand_skeleton(load_hand_rig()), given.rotation.astype(float), given.translation.astype(float))
    frame = int(np.searchsorted(given.times, 29.5))
    keyboard, key = Keyboard(), clip.score.notes[last].pitch - LOWEST
    points = pads[frame, LEFT, 0]
    assert abs(points[np.argmin(points[:, 2]), 0] - keyboard.x[key]) < keyboard.half_width[key]


def test_what_cannot_be_is_refused(clip: Clip, note: int) -> None:
    low, high = len(clip.score.notes) - 2, len(clip.score.notes) - 1
    for code, changes in (
        ("no-note", {len(clip.score.notes): (RIGHT, 1)}),
        ("no-note", {-1: (RIGHT, 1)}),
        ("bad-finger", {note: (RIGHT, 0)}),
        ("bad-finger", {note: (RIGHT, 6)}),
        ("finger-taken", {low: (RIGHT, int(clip.fingering.finger[high]))}),
        ("out-of-reach", {note: (LEFT, 1)}),
    ):
        with pytest.raises(PianoHandsError) as refused:
            reassign(clip, changes)
        assert refused.value.code == code


def test_two_notes_can_swap_their_fingers(clip: Clip) -> None:
    low, high = len(clip.score.notes) - 2, len(clip.score.notes) - 1
    fingers = clip.fingering.finger
    swapped = reassign(clip, {low: (RIGHT, int(fingers[high])), high: (RIGHT, int(fingers[low]))})
    assert swapped.fingering.finger[[low, high]].tolist() == fingers[[high, low]].tolist()


def test_the_command_writes_another_take(clip: Clip, note: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip.save(tmp_path / "take.npz")
    common = ["reassign", str(tmp_path / "take.npz"), "-o", str(tmp_path / "new.npz"), "--note"]
    assert main([*common, str(note), "--finger", str(_other_finger(clip, note))]) == 0
    assert Clip.load(tmp_path / "new.npz").fingering.finger[note] == _other_finger(clip, note)
    assert main([*common, "99999", "--finger", "1"]) == 1
    assert "no note 99999" in capsys.readouterr().err
