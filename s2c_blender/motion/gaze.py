# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a player looks: at the hands, mostly with the eyes, a little with the head, and slowly."""

import numpy as np
from numpy.typing import NDArray

from . import rotation
from .arm_reach import slow

Array = NDArray[np.float64]

_DOWN, _MOST_DOWN = 0.5, np.radians(32.0)  # share of the way down to the hands that the head takes, and its most
_ASIDE, _MOST_ASIDE = 0.55, np.radians(35.0)


def look_at(head: Array, hands: Array, *, rate: float) -> Array:
    """(T, 4) turns of a head at `head` (T or 1, 3), which looks along y when it is not turned, towards the hands (T, 2, 3)."""
    way = slow(hands.mean(axis=1), rate) - head
    level = np.hypot(way[:, 0], way[:, 1])
    down = np.minimum(_DOWN * np.arctan2(-way[:, 2], level), _MOST_DOWN)
    aside = np.clip(_ASIDE * np.arctan2(way[:, 0], way[:, 1]), -_MOST_ASIDE, _MOST_ASIDE)
    zero = np.zeros_like(down)
    turned = rotation.from_axis_angle(np.stack([zero, zero, -aside], axis=-1))
    return rotation.multiply(turned, rotation.from_axis_angle(np.stack([-down, zero, zero], axis=-1)))


def between(first: Array, last: Array) -> Array:
    """(T, 4) half way from one turn to the other."""
    vector = rotation.to_axis_angle(rotation.multiply(last, rotation.conjugate(first)))
    return rotation.multiply(rotation.from_axis_angle(0.5 * vector), np.broadcast_to(first, last.shape))
