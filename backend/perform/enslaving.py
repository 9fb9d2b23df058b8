# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers are not independent: idle ones follow the neighbours that play, a little."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.keyboard import BLACK_HEIGHT

from .targets import Targets

Array = NDArray[np.float64]

# Share of its neighbours' ways up and down that an idle finger is asked to go. Thumb and index are the most independent, ring and
# little finger the least (Zatsiorsky, Li and Latash 2000, "Enslaving effects in multi-finger force production"). More than what
# is to be seen at the knuckles: the hand goes down and leans with the finger that plays, which holds idle ones back.
_SHARES = np.array([0.07, 0.22, 0.38, 1.0, 0.38])
_DOWN, _UP = -0.001, 0.010  # metres at most; near the keys there is no room: what goes lower presses its neighbours
_KEPT = 0.7  # share of the knuckle's way that the fingertip goes; middle joints move a little against it (Goebl and Palmer 2013)
_BENT = -0.0055  # metres that the knuckle alone goes down at most: the middle joint gives back what the fingertip has no room for
_KNUCKLE, _MIDDLE = 0.04, 0.025  # metres a fingertip goes for each radian at its knuckle and middle joint, curved as fingers are
_MIDDLE_Y = 0.03  # where a tilted target is looked at


def follow_neighbours(targets: Targets, free: Array, *, hover: float) -> tuple[Array, Array]:
    """Moves the heights of idle fingers, as far as they are `free` (F, H, 5); `hover`: where they were. Metres.

    Returns the turns that go with it, flexion of knuckles and of middle joints (F, H, 5) each, radians.
    """
    busy = 1.0 - free
    top = np.where((targets.over_black == 0.0) & (targets.on_top > 0.5), BLACK_HEIGHT, 0.0)
    away = busy * (targets.height + targets.tilt * _MIDDLE_Y - top - hover)
    beside, count = np.zeros_like(away), np.zeros_like(away)
    for finger, neighbours in enumerate(((1,), (2,), (1, 3), (2, 4), (3,))):
        for other in neighbours:
            beside[..., finger] += away[..., other]
            count[..., finger] += busy[..., other]
    follow = free * np.clip(_SHARES * beside / np.maximum(count, 1.0), _BENT, _UP)
    push = np.maximum(_KEPT * follow, _DOWN)
    targets.height[:] += push
    return -follow / _KNUCKLE, (follow - push) / _MIDDLE
