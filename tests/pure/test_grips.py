# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that a hand cannot hold together: tried, and one let go."""

from functools import partial

import numpy as np
import pytest

from backend.perform import grips
from backend.perform.grips import FAILS, Grip
from s2c_blender.motion.hand_rig import own_skeleton
from s2c_blender.wire.errors import Cancelled
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import NoteEvent, Score
from tests.pure.test_fingering import LEFT, RIGHT, finger, line

AMID_A_TENTH = (54, 60, 64, 69)  # F sharp, C, E, A: as Liszt writes them, the thumb on a black key


def grip(side: HandSide, pitches: tuple[int, ...], fingers: tuple[int, ...]) -> Grip:
    return side, tuple((pitch - LOWEST, number - 1) for pitch, number in zip(pitches, fingers, strict=True))


@pytest.fixture(scope="module")
def hand():
    return partial(grips.trial, own_skeleton(0.22), Keyboard())


def test_a_hand_is_tried_at_what_it_should_hold(hand):
    easy = grip(RIGHT, (60, 64, 67, 72), (1, 2, 3, 5)), grip(LEFT, (48, 51, 55, 60), (5, 3, 2, 1))
    wide = grip(RIGHT, AMID_A_TENTH, (1, 2, 3, 5)), grip(LEFT, (55, 60, 64, 70), (5, 3, 2, 1))
    faults = hand([*easy, *wide], True)
    assert (faults[:2] < 0.001).all() and (faults[2:] > FAILS).all()


def test_a_larger_hand_holds_what_a_smaller_one_does_not():
    keys = grip(RIGHT, (60, 67, 76), (1, 2, 5))
    small, large = (grips.trial(own_skeleton(span), Keyboard(), [keys], True)[0] for span in (0.20, 0.25))
    assert small > FAILS > 0.001 > large


def test_a_trial_can_be_stopped():
    with pytest.raises(Cancelled):
        grips.trial(own_skeleton(0.22), Keyboard(), [grip(RIGHT, AMID_A_TENTH, (1, 2, 3, 5))], True, cancelled=lambda: True)


def test_of_what_cannot_be_held_one_key_is_let_go(hand):
    score = line([AMID_A_TENTH], step=2.0)
    before, result = finger(score), finger(score, trial=hand)
    assert result.played.all() and result.finger.tolist() == before.finger.tolist()
    length = result.release - result.strike
    assert np.sum(length < 0.5) == 1 and (length[length > 0.5] > 1.9).all()
    left = int(np.argmin(length))
    assert result.release[left] < result.strike.max(), "it leaves before the hand has to open"
    assert np.abs(result.strike).max() <= 0.04 and (np.diff(result.strike) > 0).all(), "rolled, for that"
    assert any("let go for A4, since a hand of this size cannot hold F#3 C4 E4 A4 at once" in remark for remark in result.remarks)


def test_what_is_let_go_in_a_roll_does_not_hold_up_the_last_key():
    """Not even where the recording strikes the last key first, and the two lie near each other."""
    struck = ((61, 1, 1.0), (54, 3, 1.019), (58, 2, 1.023), (49, 5, 1.025))
    score = Score(tuple(NoteEvent(onset, 2.0, pitch, 64, LEFT, number) for pitch, number, onset in struck))

    def trial(tried: list[Grip], well: bool):
        both = {58 - LOWEST, 61 - LOWEST}
        return np.array([0.01 if both <= {key for key, _ in keys} else 0.0 for _, keys in tried])

    result = finger(score, span=0.18, trial=trial)
    strike, release = (
        dict(zip((note.pitch for note in score.notes), times, strict=True)) for times in (result.strike, result.release)
    )
    assert release[58] < strike[61] - 0.02 and release[61] > 1.9
    assert np.abs(result.strike - [note.onset for note in score.notes]).max() <= 0.0401


def test_what_is_held_already_is_let_go_before_the_strike(hand):
    """Nothing is rolled: the hand has the time."""
    fingers = (1, 2, 3, 5)
    notes = [NoteEvent(0.5 * k, 4.0, AMID_A_TENTH[k], 64, RIGHT, fingers[k]) for k in range(4)]
    result = finger(Score(tuple(notes)), trial=hand)
    assert result.strike.tolist() == [note.onset for note in notes]
    early = result.release < 3.9
    assert early.sum() == 1 and 0.5 < result.release[early][0] < 1.5


def test_only_what_is_nearly_as_wide_as_the_hand_is_tried():
    def never(tried, well):
        raise AssertionError(tried)

    for pitches in ((60, 64, 67, 72), (60, 62, 64, 65, 67), (60, 75), (60, 63, 66, 69, 72)):
        assert not finger(line([pitches], step=1.0), trial=never).remarks
    assert not finger(Score(()), trial=never).remarks


def test_what_another_hand_can_hold_stays():
    """The hand decides, not the keys."""
    score = line([AMID_A_TENTH], step=2.0)
    result = finger(score, trial=lambda tried, well: np.zeros(len(tried)))
    assert (result.release - result.strike > 1.9).all() and not result.remarks
