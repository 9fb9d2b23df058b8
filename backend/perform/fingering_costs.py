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

#: Stretches between fingers, thumb to the left, in semitones (Parncutt et al. 1997, "An ergonomic model of keyboard
#: fingering for melodic fragments", table 1): shortest practical, comfortable, relaxed; longest relaxed, comfortable, practical.
STRETCHES = {
    (0, 1): (-5, -3, 1, 5, 8, 10),
    (0, 2): (-4, -2, 3, 7, 10, 12),
    (0, 3): (-3, -1, 5, 9, 12, 14),
    (0, 4): (-1, 1, 7, 10, 13, 15),
    (1, 2): (1, 1, 1, 2, 3, 5),
    (1, 3): (1, 1, 3, 4, 5, 7),
    (1, 4): (2, 2, 5, 6, 8, 10),
    (2, 3): (1, 1, 1, 2, 2, 4),
    (2, 4): (1, 1, 3, 4, 5, 7),
    (3, 4): (1, 1, 1, 2, 3, 5),
}
IMPOSSIBLE = 60.0


@dataclass(frozen=True)
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


def cost_tables(side: HandSide, *, span: float = REFERENCE_SPAN, keyboard: Keyboard | None = None) -> CostTables:
    keyboard = keyboard or Keyboard()
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
    scale = span / REFERENCE_SPAN
    limits[3:] *= scale
    thumb = lower == 0
    slope = np.where(thumb, 1.0, 2.0) / SEMITONE
    below = np.maximum(limits[2] - towards, 0.0) + np.maximum(limits[1] - towards, 0.0)
    above = np.maximum(towards - limits[3], 0.0) + np.maximum(towards - limits[4], 0.0)
    strain = np.minimum(slope * (below + above), 40.0)
    beyond = (towards > limits[5]) | (towards < limits[0])
    natural = 23.5 * (upper - lower)
    strain = strain + 0.15 * np.abs(towards - natural) / 23.5
    same_finger = first == second
    same_key = np.eye(KEY_COUNT, dtype=bool)[:, :, None, None]
    passing = thumb & ~same_finger & (towards < 0)
    crossing = ~thumb & ~same_finger & (towards < 0)

    together = strain + np.where(beyond, IMPOSSIBLE, 0.0) + np.where(passing, 6.0, 0.0) + np.where(crossing, 60.0, 0.0)
    together = np.where(same_finger, IMPOSSIBLE, together)

    offset = np.array([0.0, 23.5, 47.0, 70.5, 94.0])
    travel = np.abs(distance - (offset[None, :] - offset[:, None]))
    thumb_black = np.where(thumb & (first == 0), black[:, None, None, None], black[None, :, None, None])
    other_black = np.where(thumb & (first == 0), black[None, :, None, None], black[:, None, None, None])
    pass_cost = 2.0 + 4.0 * thumb_black * ~other_black - 1.0 * other_black * ~thumb_black + 0.3 * (upper - 2) * (upper > 2)
    pass_cost = pass_cost + 1.0 * (upper == 4)
    step = strain + np.where(beyond, 6.0, 0.0) + np.where(passing, pass_cost, 0.0) + np.where(crossing, 12.0, 0.0)
    step = np.where(same_finger, 4.0 + np.abs(distance) / SEMITONE * 0.5, step)
    step = np.where(same_key, np.where(same_finger, 0.0, 1.5), step)
    travel = np.where(same_key, 0.0, travel)

    single = np.tile(np.array([0.1, 0.0, 0.0, 0.4, 0.5]), (KEY_COUNT, 1))
    single[black] += np.array([2.0, 0.0, 0.0, 0.0, 1.0])
    return CostTables(single, together, step, travel / 1000.0)
