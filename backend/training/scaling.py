# SPDX-License-Identifier: GPL-3.0-or-later
"""The scalings of a model that reads notes: poses and positions of its data fill the range in which it works."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard

from ..data.annotation import BrokenItem
from ..data.cache import Cache
from ..data.dataset import bad_data, items_of
from ..data.layout import POSE, POSITION
from ..s2c.config import POSITION_SCALE, ModelConfig, Scaling
from ..s2c.note_roll import MIRROR_PITCH

Array = NDArray[np.floating]

_REACH = 3.5  # standard deviations of a pose: what is beyond them is clipped when it is sampled
_ROOM = 1.1  # of positions beyond the farthest in the data
_SMALLEST = 1e-3


def fitted(config: ModelConfig, cache: Cache) -> ModelConfig:
    """Scaled to the training split. Both hands have one scaling, but for where the keyboard lies in the mirror: D4 stays in place.

    Raises PianoHandsError('bad-data').
    """
    shift = np.array([2.0 * Keyboard().x[MIRROR_PITCH // 2 - LOWEST] / POSITION_SCALE[0], 0.0, 0.0])
    poses, places = list[Array](), list[Array]()
    for item in items_of(cache.root, "train"):
        try:
            frames = np.asarray(cache.load(item).frames, float)
        except BrokenItem:
            continue
        poses.append(frames[..., POSE].reshape(-1, POSE.stop - POSE.start) / np.pi)
        metres = frames[..., POSITION] / np.array(POSITION_SCALE)
        places += [metres[HandSide.RIGHT], metres[HandSide.LEFT] + shift]
    if not poses:
        raise bad_data(f"There is nothing in {cache.root} to train on.")
    pose, place = np.concatenate(poses), np.concatenate(places)
    low, high = place.min(0), place.max(0)
    middle = (low + high) / 2
    return replace(
        config,
        pose_scaling=_scaling(pose.mean(0), pose.mean(0), _REACH * pose.std(0)),
        position_scaling=_scaling(middle, middle - shift, _ROOM * (high - low) / 2),
    )


def _scaling(right: Array, left: Array, reach: Array) -> Scaling:
    first, second, wide = (tuple(round(float(value), 6) for value in row) for row in (right, left, np.maximum(reach, _SMALLEST)))
    return Scaling((first, second), wide)
