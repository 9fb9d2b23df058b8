# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's rotations on other hands, as they are: at once, but fingertips land only where proportions are the same."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..wire.clip import Clip
from ..wire.hands import HandSide
from .hand_rig import skeleton_of
from .skeleton import HandSkeleton, pad_points

Array = NDArray[np.float64]


def copy_motion(clip: Clip, skeleton: HandSkeleton) -> Clip:
    """The clip on `skeleton`: every joint turned as it is; wrists so that the fingertips' lowest points lie where they lay, on the
    whole of each hand."""
    own = skeleton_of(clip)
    turns, places = clip.rotation.astype(float), clip.translation.astype(float)
    before, after = _lowest(own, turns, places), _lowest(skeleton, turns, places)
    there = [[finger not in skeleton.missing(side) for finger in range(5)] for side in HandSide]
    weight = np.array(there, dtype=float)[None, :, :, None]
    # The lower a fingertip the more it counts: it is the one that plays.
    weight = weight * np.exp(-(before[..., 2:] - before[..., 2:].min(axis=2, keepdims=True)) / 0.006)
    shift = np.sum((before - after) * weight, axis=2) / np.sum(weight, axis=2)
    return replace(
        clip,
        translation=(places + shift).astype(np.float32),
        skeleton=skeleton.name,
        hand_size=skeleton.span(),
        hands=skeleton.to_arrays(),
        made=clip.made | {"copied": True},
    )


def _lowest(skeleton: HandSkeleton, turns: Array, places: Array) -> Array:
    """(T, 2, 5, 3) each fingertip's lowest point; some thousand frames at a time."""
    found: list[Array] = []
    for first in range(0, len(turns), 2000):
        part = slice(first, first + 2000)
        points = pad_points(skeleton, turns[part], places[part])
        lowest = np.argmin(points[..., 2], axis=-1)[..., None, None]
        found.append(np.take_along_axis(points, lowest, axis=-2)[..., 0, :])
    return np.concatenate(found)
