# SPDX-License-Identifier: GPL-3.0-or-later
"""When fingers strike and leave: chords that are rolled, slips, keys that rise, fingers that make way."""

import numpy as np
import pytest

from backend.perform.slides import EARLY, HALF_WIDTH
from backend.perform.strikes import HAND_OVER, LIFT, travel_time
from s2c_blender.motion.key_motion import HALF_RISE
from s2c_blender.wire.keyboard import Keyboard
from s2c_blender.wire.notes import NoteEvent, Score
from tests.pure.test_fingering import LEFT, RIGHT, finger, line


def test_a_chord_wider_than_the_hand_is_rolled():
    score = line([(48, 60, 67)], LEFT, step=1.0)
    result = finger(score)
    assert result.played.all() and (np.diff(result.strike) > 0).all()
    assert np.abs(result.strike).max() <= 0.04 + 1e-9
    assert "C3 C4 G4 at 0.00 s" in result.remarks[0]
    assert not finger(line([(48, 60)], LEFT)).remarks


def test_a_chord_is_rolled_where_inner_fingers_cannot_stretch():
    result = finger(line([(45, 47, 57, 59)], LEFT, step=1.0))
    assert result.played.all() and "rolled" in result.remarks[0]
    assert (np.diff(result.strike) > 0).all() and np.abs(result.strike).max() <= 0.04


def test_a_slip_that_one_hand_cannot_strike_is_rolled():
    """B flat, and 37 ms later the A beside it, while thumb and index strike keys an octave away."""
    notes = ((0.0, 1.0, 44), (2.0, 2.07, 46), (2.004, 2.04, 59), (2.006, 2.06, 57), (2.037, 2.08, 45), (3.0, 4.0, 44))
    result = finger(Score(tuple(NoteEvent(onset, offset, pitch, 64, LEFT) for onset, offset, pitch in notes)))
    assert result.played.all() and result.strike[4] - result.strike[1] >= 0.09
    assert result.strike - [note[0] for note in notes] == pytest.approx(0.0, abs=0.04)
    assert result.release[1] <= result.strike[4] - 0.05
    assert [remark for remark in result.remarks if remark.startswith("Bb2 A2 at 2.00 s")] == list(result.remarks)


@pytest.mark.parametrize("pitches", [(60, 64), (60, 62, 64, 65, 67, 65), (60, 62, 60, 62, 60, 62)])
def test_quick_notes_that_fingers_can_take_are_not_rolled(pitches):
    score = line(pitches, step=0.045)
    result = finger(score)
    assert result.strike.tolist() == [note.onset for note in score.notes] and not result.remarks


def test_a_chord_is_rolled_where_index_and_little_finger_would_span_an_octave():
    """Five keys over a ninth, as Liszt writes them: held at once, the little finger's side lies on keys."""
    result = finger(line([(60, 62, 66, 69, 74)], step=1.0))
    assert result.finger.tolist() == [1, 2, 3, 4, 5] and "rolled" in result.remarks[0]
    assert not finger(line([(60, 62, 66, 69, 72)], step=1.0)).remarks


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (3, 4, 0, 2, 1)])
def test_such_a_chord_is_rolled_where_it_was_not_struck_quite_together(order):
    """Recorded, its notes come over 32 ms, in any order: more than one strike's, and yet one chord."""
    chord = [(60, 62, 66, 69, 74)[rank] for rank in order]
    onsets = 1.0 + 0.008 * np.arange(5)
    result = finger(Score(tuple(NoteEvent(onset, 2.0, pitch, 64, RIGHT) for onset, pitch in zip(onsets, chord, strict=True))))
    assert (np.diff(result.strike[np.argsort(chord)]) > 0.005).all()
    assert len(result.remarks) == 1 and "rolled" in result.remarks[0]
    assert result.strike == pytest.approx(onsets, abs=0.04 + 1e-9)


def test_a_small_hand_rolls_what_a_large_one_strikes():
    tenth = line([(60, 76)], step=1.0)
    assert not finger(tenth, span=0.24).remarks
    assert "rolled" in finger(tenth, span=0.18).remarks[0]


def test_one_key_struck_by_both_hands_is_one_stroke():
    notes = (NoteEvent(0, 0.5, 60, 64, LEFT), NoteEvent(0.02, 1.0, 60, 64, RIGHT))
    result = finger(Score(notes))
    assert result.played.sum() == 1 and "doubled with the other hand" in result.remarks[0]
    assert result.release[np.flatnonzero(result.played)[0]] == pytest.approx(1.0)


def test_a_key_struck_again_while_it_is_held_rises_and_is_held_on():
    notes = (NoteEvent(0, 2, 60, 64, RIGHT), NoteEvent(1, 1.2, 60, 64, LEFT), NoteEvent(1.5, 1.6, 40, 64, LEFT))
    result = finger(Score(notes))
    assert result.release[0] == pytest.approx(1 - HAND_OVER)  # the other hand's finger needs the place, not only the key
    assert 1.2 < result.release[1] < 1.5  # until the left hand is needed elsewhere


@pytest.mark.parametrize(("interval", "gap"), [(1.0, HAND_OVER), (0.2, 0.06), (0.08, 0.04)])
def test_hands_that_share_a_key_leave_it_to_each_other(interval, gap):
    notes = [NoteEvent(i * interval, (i + 1) * interval, 60, 64, RIGHT if i % 2 else LEFT) for i in range(6)]
    result = finger(Score(tuple(notes)))
    assert result.strike[1:] - result.release[:-1] == pytest.approx([gap] * 5)


@pytest.mark.parametrize("per_second", [2, 6, 12])
def test_repeated_notes_leave_the_key_time_to_rise(per_second):
    score = line([72] * 20, step=1 / per_second)
    result = finger(score)
    gaps = result.strike[1:] - result.release[:-1]
    assert gaps.min() >= 0.04
    assert (result.release - result.strike).min() >= 0.03


def test_a_finger_that_goes_on_leaves_early_but_not_too_early():
    notes = [NoteEvent(0, 0.4, 60, 64, RIGHT, finger=2), NoteEvent(0.4, 0.8, 72, 64, RIGHT, finger=2)]
    result = finger(Score(tuple(notes)))
    assert 0.2 <= result.release[0] <= 0.36


def test_legato_between_fingers_is_not_cut():
    result = finger(line([60, 62, 64, 65, 67]))
    assert result.release == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_pedalled_bass_is_let_go_for_the_chord():
    notes = (NoteEvent(0, 3, 36, 64, LEFT), *(NoteEvent(1, 3, p, 64, LEFT) for p in (60, 64, 67)))
    result = finger(Score(notes))
    assert result.played.all() and result.release[0] < 1.0


@pytest.mark.parametrize(("span", "held"), [(0.20, False), (0.22, True)])
def test_a_small_hand_lets_a_bass_go_that_a_larger_one_holds(span, held):
    """Little finger on B, then index finger and thumb on A and B."""
    fingers = (0, 47, 5), (1, 57, 2), (1, 59, 1)
    result = finger(Score(tuple(NoteEvent(start, 3, pitch, 64, LEFT, number) for start, pitch, number in fingers)), span=span)
    assert result.finger.tolist() == [5, 2, 1]
    assert (result.release[0] > 1.0) == held


@pytest.mark.parametrize(("span", "length", "leaves"), [(0.22, 1.0, 1.0), (0.20, 1.0, 0.945), (0.20, 2.0, 2.0)])
def test_a_hand_does_not_bind_what_it_would_have_to_stretch_for(span, length, leaves):
    """A ninth, from the thumb to the little finger: at a stretch of small hands, who only hold on to what sounds on."""
    score = Score((NoteEvent(0.0, length, 64, 70, LEFT, finger=1), NoteEvent(1.0, 3.0, 50, 70, LEFT, finger=5)))
    assert finger(score, span=span).release[0] == pytest.approx(leaves)


def test_a_sliding_finger_keeps_each_key_down_until_it_is_off_it():
    score = line((60, 62, 64, 65, 67, 69, 71, 72, 74), step=0.04)
    result = finger(score)
    # The key begins to rise when the finger's other side, 7.5 mm from its middle, has come over the border of two white keys.
    late = 0.04 * (HALF_WIDTH + EARLY) / Keyboard().white_pitch
    assert result.release[:-1] == pytest.approx(result.strike[1:] + late + HALF_RISE)


def test_a_leap_leaves_its_key_late():
    """Two and three octaves in half a second: the farther, the faster, and most of the key's time stays."""
    low, high = (finger(line([60, 60 + semitones], step=0.5)) for semitones in (24, 36))
    away = [0.5 - result.release[0] for result in (low, high)]
    assert LIFT < away[0] < away[1] < 0.5 * 0.5
    assert travel_time(np.array([0.0, 0.009, 0.12, 0.48])) == pytest.approx([0.0, 0.01, 0.0632, 0.1265], abs=1e-4)
