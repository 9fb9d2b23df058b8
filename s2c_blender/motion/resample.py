# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses between frames. NumPy only."""

import numpy as np
from numpy.typing import NDArray

from . import rotation

Array = NDArray[np.floating]

_BLOCK = 8192  # frames made at a time: an hour's in-between products would take a gigabyte


def rotations_at(rotations: Array, at: Array) -> NDArray[np.float32]:
    """Quaternions (T, ..., 4) at frames `at` (N,), whole or in between: blended between neighbours, which are near each other.

    Before the first frame and after the last one those hold.
    """
    near = rotation.continuous(rotations)
    made = np.empty((len(at), *rotations.shape[1:]), dtype=np.float32)
    for begin in range(0, len(at), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        first, part = _before(at[block], len(rotations))
        part = part.reshape(-1, *[1] * (rotations.ndim - 1))
        second = np.minimum(first + 1, len(rotations) - 1)
        made[block] = rotation.normalize((1 - part) * near[first] + part * near[second])
    return made


def places_at(places: Array, at: Array) -> Array:
    """Places (T, ...) at frames `at` (N,), along straight lines; the ends hold."""
    flat = places.reshape(len(places), -1)
    inside = np.clip(at, 0, len(places) - 1)
    columns = [np.interp(inside, np.arange(len(flat)), column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(at), *places.shape[1:])


def _before(at: Array, frames: int) -> tuple[NDArray[np.intp], Array]:
    """The frame before each of `at` and how far it is past it."""
    inside = np.clip(at, 0, frames - 1)
    first = np.minimum(inside.astype(np.intp), max(frames - 2, 0))
    return first, inside - first
