# SPDX-License-Identifier: GPL-3.0-or-later
"""How keys move: strikes and note-offs fall where the notes say, and every press is a press of its own."""

import numpy as np
import pytest

from s2c_blender.motion.key_motion import HIGHEST_TURN, attack_duration, key_motion
from s2c_blender.wire.keyboard import DAMPED, LET_OFF, LOWEST
from s2c_blender.wire.notes import UNPLAYED, Fingering, NoteEvent, Score

RATE = 10_000


def _piece(notes, *, finger=1):
    score = Score(tuple(NoteEvent(*note) for note in sorted(notes, key=lambda note: (note[0], note[2]))))
    count = len(score.notes)
    onset, offset = (np.array([getattr(note, name) for note in score.notes], dtype=float) for name in ("onset", "offset"))
    return score, Fingering(np.zeros(count, np.int8), np.full(count, finger, np.int8), onset, offset)


def _presses(curve, end):
    """[(onset, offset)] as contact.md reads them: down past LET_OFF, up past DAMPED."""
    times = np.arange(-1.0, end, 1.0 / RATE)
    share = curve.sample(times)
    presses, down = [], None
    for time, depth in zip(times, share, strict=True):
        if down is None and depth >= LET_OFF:
            down = time
        elif down is not None and depth < DAMPED:
            presses.append((down, time))
            down = None
    return np.array(presses)


def test_crosses_let_off_at_the_strike_and_the_damper_at_the_release():
    score, fingering = _piece([(0.0, 0.5, 60, 20), (1.0, 1.2, 60, 64), (2.0, 2.9, 60, 120)])
    curve = key_motion(score, fingering).curves[60 - LOWEST]
    expected = [(note.onset, note.offset) for note in score.notes]
    assert _presses(curve, 4.0) == pytest.approx(np.array(expected), abs=3e-4)


@pytest.mark.parametrize(("velocity", "seconds"), [(127, 0.025), (20, 0.160)])
def test_the_attack_lasts_as_velocity_says(velocity, seconds):
    strokes = key_motion(*_piece([(0.0, 1.0, 60, velocity)])).strokes
    assert strokes.bottom[0] - strokes.touch[0] == pytest.approx(seconds)
    assert np.all(np.diff(attack_duration(np.arange(1, 128))) <= 0.0)


@pytest.mark.parametrize("per_second", [4, 8, 12, 16, 19])
def test_repeated_notes_without_a_gap_are_all_separate(per_second):
    notes = [(i / per_second, (i + 1) / per_second, 60, 40) for i in range(24)]
    motion = key_motion(*_piece(notes))
    presses = _presses(motion.curves[60 - LOWEST], 24 / per_second + 1.0)
    assert presses[:, 0] == pytest.approx(np.arange(24) / per_second, abs=3e-4)
    assert np.all(motion.strokes.up_share <= HIGHEST_TURN)


def test_a_hand_that_lets_go_early_touches_its_next_key_only_when_the_last_one_is_up():
    """A soft stroke would begin while the little finger still holds its key, though one hand cannot have both."""
    score, fingering = _piece([(0.0, 1.02, 64, 30), (1.0, 2.0, 52, 30)])
    fingering.finger[:] = 5, 1
    together = key_motion(score, fingering).strokes
    fingering.release[0] = 0.93
    parted = key_motion(score, fingering).strokes
    assert not together.gives_way.any() and parted.gives_way.tolist() == [True, False]
    assert together.touch[1] < 0.93 < parted.up[0] < parted.touch[1] + 0.002
    assert parted.strike[1] == 1.0


@pytest.mark.parametrize(("first", "waits"), [(1, False), (5, True)])
def test_long_fingers_an_octave_apart_touch_one_after_the_other_and_a_thumb_need_not_wait(first, waits):
    score, fingering = _piece([(0.0, 1.0, 48, 60), (1.08, 2.0, 60, 20)])
    fingering.finger[:] = first, 2
    strokes = key_motion(score, fingering).strokes
    assert bool(strokes.touch[1] > strokes.up[0] - 0.002) == waits


def test_overlapping_notes_of_one_pitch_are_struck_anew():
    presses = _presses(key_motion(*_piece([(0.0, 2.0, 60, 80), (1.0, 3.0, 60, 80)])).curves[60 - LOWEST], 4.0)
    assert presses[:, 0] == pytest.approx([0.0, 1.0], abs=3e-4)
    assert presses[1, 1] == pytest.approx(3.0, abs=3e-4)


def test_both_hands_on_one_key_are_one_stroke():
    motion = key_motion(*_piece([(1.0, 1.5, 60, 80), (1.03, 2.0, 60, 80)]))
    assert len(_presses(motion.curves[60 - LOWEST], 4.0)) == 1
    assert np.all(motion.strokes.strike == 1.0)
    assert np.all(motion.strokes.damped == 2.0)


def test_zero_length_and_unplayed_notes_move_the_key():
    assert len(_presses(key_motion(*_piece([(1.0, 1.0, 60, 80)])).curves[60 - LOWEST], 4.0)) == 1
    assert len(_presses(key_motion(*_piece([(1.0, 1.5, 60, 80)], finger=UNPLAYED)).curves[60 - LOWEST], 4.0)) == 1


def test_any_notes_give_smooth_curves_within_the_travel():
    rng = np.random.default_rng(1)
    onsets = rng.uniform(0.0, 20.0, 2000)
    notes = [(t, t + rng.exponential(0.3), int(rng.integers(55, 66)), int(rng.integers(1, 128))) for t in onsets]
    motion = key_motion(*_piece(notes))
    for key, curve in motion.curves.items():
        assert np.all(np.diff(curve.times) > 0.0)
        for share in (curve.sample(np.arange(-1.0, 25.0, 1.0 / 1000)), motion.at_frames(key, np.arange(-1.0, 25.0, 1.0 / 60))):
            assert share.min() >= -1e-9 and share.max() <= 1.0 + 1e-9
            assert share[0] == 0.0 and share[-1] == 0.0


@pytest.mark.parametrize("rate", [48.0, 50.0, 60.0])
def test_lines_between_frames_let_off_at_the_strike(rate):
    """Whichever way strikes fall between frames."""
    notes = [(t, t + 0.2, 60, velocity) for t, velocity in zip(np.arange(40) * 0.3071, np.linspace(10, 127, 40), strict=True)]
    motion = key_motion(*_piece(notes))
    times = np.arange(round(-rate), round(14 * rate)) / rate
    strikes = motion.strikes[60 - LOWEST]
    share = motion.at_frames(60 - LOWEST, times)
    assert np.interp(strikes, times, share) == pytest.approx(np.full(len(strikes), LET_OFF), abs=1e-6)
    curve, moments = motion.frame_curve(60 - LOWEST, times), np.linspace(-1.0, 13.5, 5000)
    assert curve.sample(moments) == pytest.approx(np.interp(moments, times, share), abs=1e-9)


def test_no_notes_no_motion():
    motion = key_motion(*_piece([]))
    assert motion.curves == {}
    assert not motion.at_frames(0, np.array([0.0, 1.0])).any()
