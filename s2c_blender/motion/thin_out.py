# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys: frames of which straight lines between the others stand for the rest, to a stated error. Contacts stay exact."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LONGEST = 240  # frames between two keys


def kept_frames(curves: Array, tolerance: Array) -> NDArray[np.intp]:
    """Indices of frames (first and last included) between which straight lines err by at most the tolerance.

    curves: (T, C) values; tolerance: (T, C) or (T, 1), how far each may be off at each frame; 0: the frame is kept.
    Greedy: from each kept frame to the farthest one that will do.
    """
    count = len(curves)
    kept = [0]
    exact = np.flatnonzero((tolerance <= 0.0).any(axis=1))
    while kept[-1] < count - 1:
        first = kept[-1]
        following = exact[np.searchsorted(exact, first + 1) :]
        limit = min(int(following[0]) if len(following) else count - 1, first + _LONGEST, count - 1)
        kept.append(_farthest(curves, tolerance, first, limit))
    return np.array(kept)


def _farthest(curves: Array, tolerance: Array, first: int, limit: int) -> int:
    """By doubling and halving: straight lines that do for a span nearly always do for a shorter one."""
    good, step = first + 1, 2
    while good < limit:
        reach = min(first + step, limit)
        if not _fits(curves, tolerance, first, reach):
            break
        good, step = reach, 2 * step
    bad = min(first + step, limit + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        if _fits(curves, tolerance, first, middle):
            good = middle
        else:
            bad = middle
    return good


def _fits(curves: Array, tolerance: Array, first: int, last: int) -> bool:
    share = np.arange(1, last - first)[:, None] / (last - first)
    line = curves[first] + share * (curves[last] - curves[first])
    return bool((np.abs(curves[first + 1 : last] - line) <= tolerance[first + 1 : last]).all())


def in_contact(times: Array, spans: Sequence[tuple[float, float]], *, margin: float) -> NDArray[np.bool_]:
    """(T,) frames within the spans, or nearer to them than `margin` seconds."""
    inside = np.zeros(len(times), dtype=bool)
    for begin, end in spans:
        inside[np.searchsorted(times, begin - margin) : np.searchsorted(times, end + margin)] = True
    return inside
