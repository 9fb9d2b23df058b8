# SPDX-License-Identifier: GPL-3.0-or-later
"""Glissandi: which strikes are one slide, and where the finger is meanwhile."""

import numpy as np

from backend.perform import slides
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import Fingering, NoteEvent, Score

WHITES = [60, 62, 64, 65, 67, 69, 71, 72]


def strikes(pitches: list[int], every: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array(pitches) - LOWEST, np.arange(len(pitches)) * every


def test_neighbouring_white_keys_in_quick_order_are_one_slide() -> None:
    assert slides.find_slides(*strikes(WHITES, 0.03), Keyboard()) == [slice(0, 8)]


def test_slow_keys_turning_keys_and_mixed_colours_are_not() -> None:
    board = Keyboard()
    assert slides.find_slides(*strikes(WHITES, 0.12), board) == []
    assert slides.find_slides(*strikes([60, 62, 60, 62, 60, 62], 0.03), board) == []
    assert slides.find_slides(*strikes([60, 61, 62, 63, 64], 0.03), board) == []


def test_up_and_down_are_two_slides() -> None:
    found = slides.find_slides(*strikes([60, 62, 64, 65, 67, 65, 64, 62, 60], 0.03), Keyboard())
    assert found == [slice(0, 5), slice(5, 9)]


def test_the_finger_comes_over_each_key_at_its_strike() -> None:
    count, board = len(WHITES), Keyboard()
    onset = 1.0 + 0.03 * np.arange(count)
    notes = tuple(
        NoteEvent(onset=t, offset=t + 0.03, pitch=p, velocity=80, hand=HandSide.RIGHT, finger=3)
        for p, t in zip(WHITES, onset, strict=True)
    )
    fingering = Fingering(np.zeros(count, np.int8), np.full(count, 3, np.int8), onset, onset + 0.03)
    strokes = key_motion(Score(notes), fingering).strokes
    times = np.arange(0.0, 2.0, 1 / 60)
    _, (frames, wishes) = slides.slide_wishes(strokes, keyboard=board, times=times, side_weight=1.0)
    place = np.interp(onset[1:], times[frames], wishes["x_low"])
    border = 0.5 * (board.x[strokes.key[1:]] + board.x[strokes.key[:-1]])
    np.testing.assert_allclose(place, border - slides.EARLY, atol=0.003)
