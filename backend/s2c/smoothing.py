# SPDX-License-Identifier: GPL-3.0-or-later
"""Savitzky-Golay smoothing (window 5, order 2) of what the model gives; rotations as rotations. NumPy only."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation

Array = NDArray[np.floating]

_POWERS = np.vander(np.arange(-2.0, 3.0), 3)
_FIT = _POWERS @ np.linalg.pinv(_POWERS)  # (5, 5): row k is the fitted parabola at the k-th of five frames


def smooth(values: Array) -> Array:
    """Along the first axis; at the ends the parabola of the first and last five frames. Fewer than five stay as they are."""
    if len(values) < 5:
        return values
    flat = values.reshape(len(values), -1)
    inner = sum(_FIT[2, tap] * flat[tap : len(flat) - 4 + tap] for tap in range(5))
    return np.concatenate([_FIT[:2] @ flat[:5], inner, _FIT[3:] @ flat[-5:]]).reshape(values.shape)


def smooth_rotations(vectors: Array) -> Array:
    """Rotation vectors (T, ..., 3) in radians to smoothed unit quaternions (T, ..., 4): no jump where a vector wraps."""
    return rotation.normalize(smooth(rotation.continuous(rotation.from_axis_angle(vectors))))
