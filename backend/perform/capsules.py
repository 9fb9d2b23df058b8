# SPDX-License-Identifier: GPL-3.0-or-later
"""Where two stretches of bone come closest to each other."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_POINT = 1e-9  # squared length (m2) below which a stretch is a point, or two are parallel


def closest_points(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """The points (..., 3) on each of two line segments, given by their ends (..., 3), that are closest to each other.

    C. Ericson, Real-Time Collision Detection (2005), 5.1.9.
    """
    a, b = first[1] - first[0], second[1] - second[0]
    between = first[0] - second[0]
    aa, bb, ab = _dot(a, a), _dot(b, b), _dot(a, b)
    a_between, b_between = _dot(a, between), _dot(b, between)
    slant = aa * bb - ab * ab
    s = np.where(slant > _POINT * aa, (ab * b_between - a_between * bb) / np.maximum(slant, 1e-30), 0.5)
    s = np.clip(s, 0.0, 1.0)
    t = np.clip((ab * s + b_between) / np.maximum(bb, _POINT), 0.0, 1.0)
    s = np.clip((ab * t - a_between) / np.maximum(aa, _POINT), 0.0, 1.0)
    return first[0] + s[..., None] * a, second[0] + t[..., None] * b


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("...i,...i->...", a, b)
