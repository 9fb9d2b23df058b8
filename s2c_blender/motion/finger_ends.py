# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points of a finger's skin stand for all of it: the pad that meets keys, and what must not pass through them."""

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import HandSide

Array = NDArray[np.float64]

PADS = 48
# Points around the end of a finger, about 2 mm apart: edges of keys go in between them. With 96, 160, 240 and 400 fingers were
# 0.72, 0.60, 0.48 and 0.47 mm deep in keys (P99, mean of ten pieces).
SKIN = 240
BEHIND = 0.009  # metres behind the last joint at which they begin
RIGID = 0.98  # weight from which a point of the skin counts as one with its distal joint
# Which way a playing fingertip mostly meets the key, in the frame of `finger_frame`: a long finger with its end, the thumb with the
# flank that is away from the hand's other fingers (of a right hand).
PRESSING = np.array([0.0, 0.98, -0.20])
PRESSING_THUMB = np.array([-0.74, 0.51, -0.43])
CORE = 0.65  # cosine around it within which the pad has to be exact


def finger_frame(along: Array, nail: Array) -> Array:
    """(3, 3) columns: sideways, along the distal bone, towards the nail."""
    along = along / np.linalg.norm(along)
    dorsal = nail - (nail @ along) * along
    dorsal /= np.linalg.norm(dorsal)
    return np.stack([np.cross(along, dorsal), along, dorsal], axis=1)


def touching_directions(which: tuple[HandSide, int], count: int = 3000) -> tuple[Array, NDArray[np.bool_]]:
    """Unit vectors (D, 3), in the frame of `finger_frame`, in which a fingertip may meet a key: half a sphere; and
    in which of them (D,) it mostly does."""
    step = np.arange(count) + 0.5
    z = 1.0 - 2.0 * step / count
    ring, turn = np.sqrt(1.0 - z * z), np.pi * (1.0 + 5.0**0.5) * step
    sphere = np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)
    side, finger = which
    pressing = PRESSING if finger else PRESSING_THUMB * (1.0 if side is HandSide.RIGHT else -1.0, 1.0, 1.0)
    along = sphere @ pressing
    return sphere[along > 0.0], along[along > 0.0] > CORE


def extreme_points(skin: Array, frame: Array, which: tuple[HandSide, int], *, count: int = PADS) -> list[int]:
    """Which of the points (M, 3) form a hull that stands for all of them; some come twice where there are too few. which: finger.

    Greedy: each time the extreme point of the direction in which the chosen ones fall shortest. Falling short where keys are
    seldom met counts a quarter.
    """
    directions, mostly = touching_directions(which)
    weight = np.where(mostly, 1.0, 0.25)
    reach = skin @ (frame @ directions.T)  # (M, D)
    best = reach.max(0)
    chosen = [int(np.argmax(reach[:, np.argmin(directions[:, 2])]))]
    while len(chosen) < count:
        short = weight * (best - reach[chosen].max(0))
        chosen.append(int(np.argmax(reach[:, np.argmax(short)])))
    return chosen


def spread_points(places: Array, *, first: int, count: int) -> list[int]:
    """Points (M, 3) spread evenly, the first one given; some come twice where there are too few.

    Each next one is the point farthest from those chosen (T. F. Gonzalez 1985, doi 10.1016/0304-3975(85)90224-5).
    """
    picked = [first]
    distance = np.full(len(places), np.inf)
    while len(picked) < count:
        distance = np.minimum(distance, np.linalg.norm(places - places[picked[-1]], axis=-1))
        picked.append(int(np.argmax(distance)))
    return picked
