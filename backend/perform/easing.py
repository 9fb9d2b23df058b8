# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth ways from one value to another."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def hermite(times: Array, knots: Array, values: Array, slopes: Array) -> Array:
    """Cubic Hermite interpolation, constant outside the knots."""
    times = np.clip(times, knots[0], knots[-1])
    i = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    span = knots[i + 1] - knots[i]
    u = (times - knots[i]) / span
    v = 1.0 - u
    return (
        v * v * (1.0 + 2.0 * u) * values[i]
        + u * u * (3.0 - 2.0 * u) * values[i + 1]
        + u * v * span * (v * slopes[i] - u * slopes[i + 1])
    )


def ease(u: Array) -> Array:
    """Minimum-jerk step from 0 to 1 (Flash & Hogan 1985)."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)


def evened(values: Array, around: int) -> Array:
    """Means along axis 0 with up to `around` frames before and after, the nearer ones counting more."""
    weight = np.hanning(2 * around + 3)[1:-1]
    weight /= weight.sum()
    padded = np.pad(values, ((around, around), *((0, 0),) * (values.ndim - 1)), mode="edge")
    return np.sum([share * padded[place : place + len(values)] for place, share in enumerate(weight)], axis=0)
