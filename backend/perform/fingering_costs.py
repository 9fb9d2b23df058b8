# SPDX-License-Identifier: GPL-3.0-or-later
"""What each finger on each key costs a hand: tables over keys and fingers, in units of a mild inconvenience.

Both hands are treated as right hands: the left one looks into a mirror. Distances are millimetres between key centres.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import KEY_COUNT, Keyboard

Array = NDArray[np.float64]

REFERENCE_SPAN = 0.22  # metres; the hand that the stretches below belong to
SEMITONE = 164.5 / 12.0  # mm
WHITE = 23.5  # mm

#: Stretches between fingers, thumb to the left, in semitones: shortest practical, comfortable, relaxed; longest relaxed,
#: comfortable, practical. After Parncutt et al. 1997, "An ergonomic model of keyboard fingering for melodic fragments",
#: table 1; of fingers 2-5 the shortest are lower here, since a white and a black neighbour may lie 9 mm apart, and the
#: longest practical ones are a semitone or two wider, for chords in which the hand opens (2-5 an octave).
STRETCHES = {
    (0, 1): (-5, -3, 1, 5, 8, 10),
    (0, 2): (-4, -2, 3, 7, 10, 12),
    (0, 3): (-3, -1, 5, 9, 12, 14),
    (0, 4): (-1, 1, 7, 10, 13, 15),
    (1, 2): (0.3, 0.4, 0.6, 4, 4, 5),
    (1, 3): (0.6, 1, 2, 4, 5, 8),
    (1, 4): (1, 2, 4, 7, 8, 11),
    (2, 3): (0.3, 0.4, 0.6, 2, 3, 5),
    (2, 4): (0.6, 1, 2, 4, 5, 8),
    (3, 4): (0.3, 0.4, 0.6, 2, 3, 6),
}
IMPOSSIBLE = 30.0


@dataclass(frozen=True)
class Weights:
    """How much each kind of inconvenience counts.

    Found by search for what editors print: 8,100 fingers in 51 scores (Bach, Scarlatti, Mozart, Clementi's op. 42, Beethoven,
    Burgmueller, Chopin, Czerny, Diabelli, Grieg), on the condition that textbooks' broken chords and thirds come out.
    """

    tight: float = 0.18  # per semitone under the relaxed stretch
    wide: float = 0.12  # per semitone over the relaxed stretch
    harder: float = 0.65  # more per semitone beyond the comfortable stretch
    fingers_only: float = 1.63  # how much worse without the thumb
    natural: float = 0.1  # per white key off the five-finger position, in a line
    natural_held: float = 0.67  # the same for keys held together
    held_wide: float = 1.06  # strain of keys held together against that of keys in a row
    leap: float = 11.7  # where strain saturates: the hand jumps, and one finger is as good as another
    passing: float = 2.0  # thumb under, or a finger over it
    pass_far: float = 6.4  # per white key beyond a neighbour, up to a leap
    pass_second: float = -0.1  # more for passing next to finger 2, 4, 5
    pass_fourth: float = 3.0
    pass_fifth: float = 4.5
    thumb_climbs: float = 4.9  # thumb on black passes a finger on white
    thumb_dives: float = -1.9  # thumb on white passes a finger on black
    crossing: float = 23.0  # fingers 2-5 in the wrong order
    jump_finger: float = 7.4  # one finger on two keys in a row
    jump_far: float = 0.12  # per white key
    change_on_key: float = 0.8  # another finger on the same key
    thumb_black: float = 1.4
    little_black: float = 0.29
    fourth: float = 0.1
    fifth: float = 0.12
    fourth_black: float = -0.1
    three_four: float = -0.05  # 3 and 4 in a row
    shift: float = 2.3  # one finger on another key from chord to chord
    shift_far: float = 0.77  # per white key
    shift_order: float = 0.5  # fingers in the wrong order from chord to chord: the hand turns or jumps
    shift_crossing: float = 5.8  # more for fingers 2-5, where neither is a third that the hand turns over
    shift_strain: float = 0.76  # strain from chord to chord against that in a line


#: The same for scales and arpeggios, which are learned for themselves: found by hand, then by search over what textbooks teach.
#: What counts among keys held together, and from chord to chord, is never asked for there.
TAUGHT = Weights(
    tight=0.63,
    wide=0.1,
    natural=0.14,
    leap=12.0,
    passing=4.1,
    pass_far=0.58,
    pass_second=0.42,
    pass_fourth=0.3,
    pass_fifth=5.0,
    thumb_dives=-0.52,
    crossing=25.0,
    jump_finger=4.9,
    jump_far=0.21,
    change_on_key=1.0,
    little_black=0.2,
    three_four=0.08,
)


@dataclass(frozen=True, eq=False)
class CostTables:
    """Tables of one hand; keys are MIDI pitch - 21, fingers 0-4.

    single: (88, 5) a finger on a key.
    together: (88, 88, 5, 5) two keys held at once. step: (88, 88, 5, 5) from one key to the next in a line.
    shift: (88, 88, 5, 5) from one key to the next where either belongs to a chord, and to the next but one.
    chord: (88, 88, 5, 5) as shift, where fingers 2-5 must not cross.
    conflict: (88, 88, 5, 5) millimetres by which two fingers cannot hold two keys at once; 0 where they can.
    beyond: (88, 88, 5, 5) millimetres by which two keys are farther apart than two fingers can hold; negative where there is room.
    """

    single: Array
    together: Array
    step: Array
    shift: Array
    chord: Array
    conflict: Array
    beyond: Array


@lru_cache(maxsize=16)
def cost_tables(
    side: HandSide, *, span: float = REFERENCE_SPAN, keyboard: Keyboard | None = None, weights: Weights | None = None
) -> CostTables:
    """Tables of one hand. span: thumb tip to little fingertip, metres; longest stretches grow with it."""
    keyboard = keyboard or Keyboard()
    w = weights or Weights()
    x = keyboard.x * 1000.0 * (1.0 if side is HandSide.RIGHT else -1.0)
    distance = (x[None, :] - x[:, None])[:, :, None, None]  # from the first key to the second, towards the little finger
    finger = np.arange(5)
    first, second = finger[:, None], finger[None, :]
    lower, upper = np.minimum(first, second), np.maximum(first, second)
    towards = np.where(first < second, distance, -distance)  # positive in the order of the fingers
    limits = _limits(span)
    same_finger = first == second
    other_key = ~np.eye(KEY_COUNT, dtype=bool)[:, :, None, None]
    backwards = ~same_finger & (towards < 0)
    passing, crossing = backwards & (lower == 0), backwards & (lower > 0)
    short, far = limits[0] - towards, towards - limits[5]
    strain, off_natural = _strain(towards, limits, w), np.abs(towards - WHITE * (upper - lower)) / WHITE

    together = w.held_wide * np.minimum(strain, 20.0) + w.natural_held * off_natural + 6.0 * passing
    together = together + IMPOSSIBLE * ((far > 0) | (short > 0) | crossing | same_finger)
    together = np.where(other_key, together, 0.0)

    white_keys = np.abs(distance) / WHITE
    eased = _up_to_a_leap(strain, w)
    step = eased + w.natural * np.minimum(off_natural, 8.0) + 2.0 * (far > 0)
    step = np.where(passing, _pass_cost(towards, keyboard.black, w), step)
    near = crossing * np.exp(-np.maximum(white_keys - 2.0, 0.0) / 3.0)
    step = np.where(crossing, w.crossing * near + eased + 4.0, step)
    step = np.where(same_finger, w.jump_finger + w.jump_far * np.minimum(white_keys, 14.0), step)
    step = np.where(other_key, step, w.change_on_key * ~same_finger)
    step = step + w.three_four * ((lower == 2) & (upper == 3))

    shift = w.shift_strain * eased + w.shift_order * backwards
    shift = np.where(same_finger, w.shift + w.shift_far * np.minimum(white_keys, 14.0), shift)
    shift = np.where(other_key, shift, 0.5 * w.change_on_key * ~same_finger)

    # Fingers 4 and 5 get over the thumb in passing, but hold nothing there.
    crowded = np.where((lower == 0) & (upper >= 3), 0.5 * (limits[0] + limits[1]), limits[0]) - towards
    conflict = np.maximum(np.maximum(far, crowded), 0.0)
    conflict = np.where(same_finger, np.abs(distance), conflict)
    single = np.tile(np.array([0.0, 0.0, 0.0, w.fourth, w.fifth]), (KEY_COUNT, 1))
    single[keyboard.black] += np.array([w.thumb_black, 0.0, 0.0, w.fourth_black, w.little_black])
    conflict = np.where(other_key, conflict, 0.0)
    return CostTables(single, together, step, shift, shift + w.shift_crossing * near, conflict, beyond=far)


def _limits(span: float) -> Array:
    """(6, 5, 5) millimetres: the stretches of a pair of fingers; the longest grow with the hand."""
    limits = np.zeros((6, 5, 5))
    for (low, high), semitones in STRETCHES.items():
        limits[:, low, high] = limits[:, high, low] = np.array(semitones) * SEMITONE
    limits[3:] *= span / REFERENCE_SPAN
    limits[5, 0, 4] = limits[5, 4, 0] = reach(span) * 1000.0
    return limits


def reach(span: float) -> float:
    """Metres between the centres of the farthest keys that a hand of this span strikes together.

    Thumb and little finger take their keys at the outer edges' inner side, so that almost the whole span counts.
    """
    return 0.95 * span


def _strain(towards: Array, limits: Array, w: Weights) -> Array:
    alone = np.where((np.arange(5)[:, None] == 0) | (np.arange(5)[None, :] == 0), 1.0, w.fingers_only) / SEMITONE
    tight = np.maximum(limits[2] - towards, 0.0) * w.tight + np.maximum(limits[1] - towards, 0.0) * w.harder
    wide = np.maximum(towards - limits[3], 0.0) * w.wide + np.maximum(towards - limits[4], 0.0) * w.harder
    return alone * (tight + wide)


def _up_to_a_leap(cost: Array, w: Weights) -> Array:
    return w.leap * (1.0 - np.exp(-cost / w.leap))


def _pass_cost(towards: Array, black: NDArray[np.bool_], w: Weights) -> Array:
    """Thumb under a finger, or the finger over the thumb: (88, 88, 5, 5), of use where one of both is the thumb."""
    first, second = np.arange(5)[:, None], np.arange(5)[None, :]
    thumb_black = np.where(first == 0, black[:, None, None, None], black[None, :, None, None])
    other_black = np.where(first == 0, black[None, :, None, None], black[:, None, None, None])
    beside = np.array([0.0, w.pass_second, 0.0, w.pass_fourth, w.pass_fifth])[np.maximum(first, second)]
    cost = w.passing + beside + _up_to_a_leap(w.pass_far * np.maximum(-towards / WHITE - 1.0, 0.0), w)
    cost = cost + np.where(thumb_black & ~other_black, w.thumb_climbs, 0.0)
    return cost + np.where(~thumb_black & other_black, w.thumb_dives, 0.0)
