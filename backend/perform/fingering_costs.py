# SPDX-License-Identifier: GPL-3.0-or-later
"""What each finger on each key costs a hand: tables over keys and fingers, in units of a mild inconvenience.

Both hands are treated as right hands: the left one looks into a mirror. Distances are millimetres between key centres.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import KEY_COUNT, Keyboard

Array = NDArray[np.float64]

REFERENCE_SPAN = 0.22  # metres; the hand that the stretches below belong to
SEMITONE = 164.5 / 12.0  # mm
WHITE = 23.5  # mm

#: Stretches between fingers, thumb to the left, in semitones (Parncutt et al. 1997, "An ergonomic model of keyboard
#: fingering for melodic fragments", table 1): shortest practical, comfortable, relaxed; longest relaxed, comfortable, practical.
STRETCHES = {
    (0, 1): (-5, -3, 1, 5, 8, 10),
    (0, 2): (-4, -2, 3, 7, 10, 12),
    (0, 3): (-3, -1, 5, 9, 12, 14),
    (0, 4): (-1, 1, 7, 10, 13, 15),
    (1, 2): (0.3, 0.4, 0.6, 3, 4, 5),
    (1, 3): (0.6, 1, 2, 4, 5, 7),
    (1, 4): (1, 2, 4, 7, 8, 10),
    (2, 3): (0.3, 0.4, 0.6, 2, 3, 4),
    (2, 4): (0.6, 1, 2, 4, 5, 7),
    (3, 4): (0.3, 0.4, 0.6, 2, 3, 5),
}
IMPOSSIBLE = 60.0
CROSSED = 25.0  # fingers 2-5 in the wrong order


@dataclass(frozen=True)
class Weights:
    """How much each kind of inconvenience counts."""

    tight: float = 0.35  # per semitone under the relaxed stretch
    wide: float = 0.35  # per semitone over the relaxed stretch
    fingers_only: float = 2.0  # how much worse without the thumb
    harder: float = 0.6  # more per semitone beyond the comfortable stretch
    natural: float = 0.12  # per white key off the five-finger position
    passing: float = 3.0  # thumb under, or a finger over it
    pass_far: float = 0.6  # per white key beyond a neighbour
    pass_second: float = 0.4  # more for passing next to finger 2, 4, 5
    pass_fourth: float = 0.2
    pass_fifth: float = 2.5
    thumb_climbs: float = 2.5  # thumb on black passes a finger on white
    thumb_dives: float = -0.6  # thumb on white passes a finger on black
    jump_finger: float = 2.2  # one finger on two keys in a row
    jump_far: float = 0.25  # per white key
    change_on_key: float = 0.9  # another finger on the same key
    thumb_black: float = 0.9
    little_black: float = 0.5
    fourth: float = 0.18
    fifth: float = 0.12
    three_four: float = 0.12  # 3 and 4 in a row
    fourth_black: float = -0.1  # finger 4 likes black keys


@dataclass(frozen=True, eq=False)
class CostTables:
    """Tables of one hand; keys are MIDI pitch - 21, fingers 0-4.

    single: (88, 5) a finger on a key.
    together: (88, 88, 5, 5) two keys held at once. step: (88, 88, 5, 5) from one key to the next without a rest.
    travel: (88, 88, 5, 5) metres that the hand moves in that step.
    """

    single: Array
    together: Array
    step: Array
    travel: Array


def cost_tables(
    side: HandSide, *, span: float = REFERENCE_SPAN, keyboard: Keyboard | None = None, weights: Weights | None = None
) -> CostTables:
    keyboard = keyboard or Keyboard()
    w = weights or Weights()
    x = keyboard.x * 1000.0 * (1.0 if side is HandSide.RIGHT else -1.0)
    distance = (x[None, :] - x[:, None])[:, :, None, None]  # from the first key to the second, towards the little finger
    black = keyboard.black
    finger = np.arange(5)
    first, second = finger[:, None], finger[None, :]
    lower, upper = np.minimum(first, second), np.maximum(first, second)
    towards = np.where(first < second, distance, -distance)  # positive in the order of the fingers
    limits = np.zeros((6, 5, 5))
    for (low, high), semitones in STRETCHES.items():
        limits[:, low, high] = limits[:, high, low] = np.array(semitones) * SEMITONE
    limits[3:] *= span / REFERENCE_SPAN
    thumb = lower == 0
    same_finger = first == second
    same_key = np.eye(KEY_COUNT, dtype=bool)[:, :, None, None]
    passing = thumb & ~same_finger & (towards < 0)
    crossing = ~thumb & ~same_finger & (towards < 0)

    alone = np.where(thumb, 1.0, w.fingers_only) / SEMITONE
    tight = np.maximum(limits[2] - towards, 0.0) * w.tight + np.maximum(limits[1] - towards, 0.0) * w.harder
    wide = np.maximum(towards - limits[3], 0.0) * w.wide + np.maximum(towards - limits[4], 0.0) * w.harder
    strain = np.minimum(alone * (tight + wide), 20.0)
    strain = strain + w.natural * np.abs(towards - WHITE * (upper - lower)) / WHITE
    beyond = (towards > limits[5]) | (towards < limits[0])

    together = strain + np.where(beyond, IMPOSSIBLE, 0.0) + np.where(passing, 6.0, 0.0) + np.where(crossing, IMPOSSIBLE, 0.0)
    together = np.where(same_finger, IMPOSSIBLE, together)

    offset = WHITE * finger
    travel = np.abs(distance - (offset[None, :] - offset[:, None]))
    thumb_black = np.where(first == 0, black[:, None, None, None], black[None, :, None, None])
    other_black = np.where(first == 0, black[None, :, None, None], black[:, None, None, None])
    beside = np.array([0.0, w.pass_second, 0.0, w.pass_fourth, w.pass_fifth])[upper]
    pass_cost = w.passing + beside + w.pass_far * np.maximum(-towards / WHITE - 1.0, 0.0)
    pass_cost = pass_cost + np.where(thumb_black & ~other_black, w.thumb_climbs, 0.0)
    pass_cost = pass_cost + np.where(~thumb_black & other_black, w.thumb_dives, 0.0)
    step = strain + np.where(beyond, 2.0, 0.0)
    step = np.where(passing, pass_cost, step)
    step = np.where(crossing, CROSSED + np.abs(towards) / WHITE, step)
    step = np.where(same_finger, w.jump_finger + w.jump_far * np.abs(distance) / WHITE, step)
    step = np.where(same_key, np.where(same_finger, 0.0, w.change_on_key), step)
    step = step + np.where((lower == 2) & (upper == 3), w.three_four, 0.0)
    travel = np.where(same_key, 0.0, travel)

    single = np.tile(np.array([0.0, 0.0, 0.0, w.fourth, w.fifth]), (KEY_COUNT, 1))
    single[black] += np.array([w.thumb_black, 0.0, 0.0, w.fourth_black, w.little_black])
    return CostTables(single, together, step, travel / 1000.0)
