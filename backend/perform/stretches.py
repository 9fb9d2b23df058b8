# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of frames that are solved by themselves."""

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]

_ROWS = range(1, 9)  # stretches are laid one behind the other into so many rows, which are solved side by side
_STEP = 2  # rows that take as long as the steps from frame to frame themselves
HELD = 2  # frames at each end of a stretch that stay: as many as the smoothness looks back


def widened(chosen: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """What is chosen along axis 1, and as many as `by` before and after it."""
    padded = np.pad(chosen, ((0, 0), (by, by)))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * by + 1, axis=1).any(axis=-1)


def stretches_in_rows(chosen: NDArray[np.bool_]) -> tuple[Index, NDArray[np.bool_]]:
    """Stretches of chosen (windows, frames), laid into rows: indices (R, L) into all frames, and which of them may move."""
    frames = chosen.shape[1]
    edges = np.diff(np.pad(chosen, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    begins, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    stretches = [np.arange(begin, end) + window * frames for (window, begin), (_, end) in zip(begins, ends, strict=True)]
    stretches.sort(key=len, reverse=True)
    rows = min((_packed(stretches, count) for count in _ROWS), key=lambda rows: (len(rows) + _STEP) * max(map(_total, rows)))
    length = max(map(_total, rows))
    index, movable = np.zeros((len(rows), length), dtype=np.intp), np.zeros((len(rows), length), dtype=bool)
    for row, packed in enumerate(rows):
        place = 0
        for stretch in packed:
            index[row, place : place + len(stretch)] = stretch
            movable[row, place + HELD : place + len(stretch) - HELD] = True
            place += len(stretch)
    return index, movable


def _packed(stretches: list[Index], count: int) -> list[list[Index]]:
    """The stretches, longest first, in `count` rows, each behind the shortest so far."""
    rows: list[list[Index]] = [[] for _ in range(count)]
    totals = [0] * count
    for stretch in stretches:
        shortest = totals.index(min(totals))
        rows[shortest].append(stretch)
        totals[shortest] += len(stretch)
    return rows


def _total(row: list[Index]) -> int:
    return sum(map(len, row))
