# SPDX-License-Identifier: GPL-3.0-or-later
"""What ten fingers cannot play as written is rolled, shared or listed; the person's hands and fingers are kept."""

from dataclasses import replace

import numpy as np
import pytest

from backend.perform.fingering import assign_fingers
from backend.perform.hands_split import assign_hands
from backend.score import merge_hands, read_midi
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import DAMPED, LOWEST, Keyboard
from s2c_blender.wire.notes import Fingering, NoteEvent, Score, pitch_name
from tests.tools.stress_pieces import PIECES, midi

RIGHT, LEFT = HandSide.RIGHT, HandSide.LEFT
ROLL = 0.04
REACH = 0.22


@pytest.fixture(scope="module")
def scores(tmp_path_factory) -> dict[str, Score]:
    folder = tmp_path_factory.mktemp("stress")
    read = {}
    for name, make in PIECES.items():
        path = folder / f"{name}.mid"
        midi(make()).save(path)
        read[name] = read_midi(path)
    return read


def finger(score: Score) -> Fingering:
    return assign_fingers(score, assign_hands(score))


def named(note: NoteEvent) -> str:
    return f"{pitch_name(note.pitch)} at {note.onset:.2f} s"


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("merged", [False, True])
def test_every_note_is_struck_or_listed(scores, name, merged):
    score = merge_hands(scores[name]) if merged else scores[name]
    result = finger(score)
    remarks = "\n".join(result.remarks)
    for i in np.flatnonzero(~result.played):
        assert named(score.notes[i]) in remarks
    late = np.abs(result.strike - [note.onset for note in score.notes])
    assert late.max() <= ROLL + 1e-9
    for i in np.flatnonzero(late > 0.001):
        assert any("rolled" in remark and pitch_name(score.notes[i].pitch) in remark.split() for remark in result.remarks)


@pytest.mark.parametrize("name", PIECES)
def test_a_note_that_leaves_its_written_hand_is_listed(scores, name):
    score = scores[name]
    result = finger(score)
    remarks = "\n".join(result.remarks)
    for i, note in enumerate(score.notes):
        if note.hand is not None and result.hand[i] != note.hand:
            assert f"{named(note)}: taken by the {HandSide(int(result.hand[i])).word} hand" in remarks


@pytest.mark.parametrize("name", PIECES)
def test_no_finger_strikes_two_keys_at_once(scores, name):
    score = scores[name]
    result = finger(score)
    for side in HandSide:
        for number in range(1, 6):
            mine = np.flatnonzero(result.played & (result.hand == side) & (result.finger == number))
            mine = mine[np.argsort(result.strike[mine], kind="stable")]
            assert (np.diff(result.strike[mine]) >= 0.012).all()


@pytest.mark.parametrize("name", PIECES)
def test_what_a_hand_strikes_at_once_lies_within_its_reach(scores, name):
    score = scores[name]
    result = finger(score)
    x = Keyboard().x[[note.pitch - LOWEST for note in score.notes]]
    for side in HandSide:
        mine = np.flatnonzero(result.played & (result.hand == side))
        mine = mine[np.argsort(result.strike[mine], kind="stable")]
        for strike in np.split(mine, np.flatnonzero(np.diff(result.strike[mine]) > 0.001) + 1):
            assert len(strike) <= 5
            assert np.ptp(x[strike]) <= REACH


def test_a_doubled_note_does_not_hold_the_key_longer_than_its_finger():
    notes = (
        NoteEvent(0.5, 0.74, 60, 72, RIGHT, finger=1),
        NoteEvent(0.5, 0.74, 60, 72, LEFT),
        NoteEvent(0.75, 0.99, 84, 72, RIGHT, finger=1),
    )
    score = Score(notes)
    result = finger(score)
    motion = key_motion(score, result)
    struck = int(np.flatnonzero(result.played[:2])[0])
    assert result.release[struck] < 0.7
    assert motion.curves[60 - LOWEST].sample(result.release[struck]) == pytest.approx(DAMPED, abs=0.02)


def test_the_fingers_of_a_chord_too_wide_touch_one_after_another():
    score = Score((NoteEvent(0.5, 1.5, 60, 72, RIGHT), NoteEvent(0.5, 1.5, 77, 72, RIGHT)))
    result = finger(score)
    strokes = key_motion(score, result).strokes
    assert result.played.all() and "rolled" in result.remarks[0]
    assert strokes.touch[1] >= strokes.up[0] - 1e-3


def held_around(number: int | None, *, until: float = 1.6) -> Score:
    """The left hand holds a chord, the right one strikes a key within it."""
    chord = [NoteEvent(0.5, until, pitch, 60, LEFT) for pitch in (60, 64, 69)]
    return Score((*chord, NoteEvent(1.0, 1.2, 62, 60, RIGHT, finger=number), NoteEvent(1.4, 1.6, 72, 60, RIGHT)))


def test_a_key_among_those_that_the_other_hand_holds_is_left_to_it():
    result = finger(held_around(None))
    assert result.hand.tolist() == [LEFT, LEFT, LEFT, LEFT, RIGHT]
    assert result.remarks == ("D4 at 1.00 s: taken by the left hand",)
    assert (np.diff(result.finger[[0, 3, 1, 2]]) < 0).all()  # a finger between those that hold


def test_a_key_among_those_that_the_other_hand_holds_keeps_the_finger_that_the_person_fixes():
    result = finger(held_around(1))
    assert result.hand[3] == RIGHT and result.finger[3] == 1 and not result.remarks


def test_a_key_among_those_that_the_other_hand_lets_go_keeps_its_hand():
    assert finger(held_around(None, until=1.02)).hand[3] == RIGHT


def random_score(count: int) -> Score:
    rng = np.random.default_rng(5)
    upper, lower = (middle + np.cumsum(rng.integers(-4, 5, count)) % 18 for middle in (66, 42))
    notes = [NoteEvent(0.2 * i, 0.2 * i + 0.2, int(pitch), 64) for line in (lower, upper) for i, pitch in enumerate(line)]
    return Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))


@pytest.mark.parametrize("index", [401, 402])
def test_a_hand_that_the_person_fixes_is_kept_and_changes_only_its_surroundings(index):
    score = random_score(400)
    before = finger(score)
    wanted = HandSide(1 - int(before.hand[index]))
    notes = list(score.notes)
    notes[index] = replace(notes[index], hand=wanted)
    after = finger(Score(tuple(notes)))
    assert after.hand[index] == wanted and after.played[index]
    far = np.abs(np.array([note.onset for note in notes]) - notes[index].onset) > 8.0
    assert (after.hand[far] == before.hand[far]).all()
    assert (after.finger[far] == before.finger[far]).all()


@pytest.mark.parametrize("number", range(1, 6))
def test_a_finger_that_the_person_fixes_is_kept_even_in_a_chord(number):
    notes = [
        NoteEvent(0.5 * i, 0.5 * i + 0.4, pitch, 64, RIGHT) for i in range(60) for pitch in (60 + i % 3, 64 + i % 3, 67 + i % 3)
    ]
    score = Score(tuple(notes))
    before = finger(score)
    changed = 31 * 3 + 1
    notes[changed] = replace(notes[changed], finger=number)
    after = finger(Score(tuple(notes)))
    assert after.finger[changed] == number
    far = np.abs(np.arange(len(notes)) - changed) > 30
    assert (after.finger[far] == before.finger[far]).all()
