# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamic time warping (Müller, "Fundamentals of Music Processing", 2015, sections 3.2 and 7.2): which frame of a long sequence
belongs to which of a shorter one. First coarsely, then finely near the coarse path, so that memory stays bounded. NumPy only.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Places = NDArray[np.intp]
#: Hears of rows done, and of how many. May raise.
Tick = Callable[[int, int], None]

_CELLS = 12_000_000  # of the coarse table
_HALT = 1.5  # added where a row takes no column of its own, as a column without a row of its own costs its distance
_FEW = 0.95  # columns a row, below which the recording may be over before the piece is
_BAND = 100  # frames to each side of the coarse path


def warp(rows: Array, columns: Array, tick: Tick) -> NDArray[np.float64]:
    """For each row (N, D) the column (M, D), fractional, that it lies at; the columns may begin earlier and end later.

    Where there are clearly fewer columns than rows the last rows may have none: then the result is shorter than N.
    """
    step = max(1, int(np.ceil(np.sqrt(len(rows) * len(columns) / _CELLS))))
    if step == 1 and len(rows) * len(columns) <= _CELLS / 4:
        return _table(rows, columns, _everything(len(rows), len(columns)), tick)
    step = max(step, 4)
    small = _table(_thinned(rows, step), _thinned(columns, step), None, lambda done, total: tick(done, 3 * total))
    rows = rows[: len(small) * step]
    middle = np.interp(np.arange(len(rows)), np.arange(len(small)) * step, small * step)
    reach = _BAND + 4 * step
    first = np.clip(middle - reach, 0, len(columns) - 1).astype(np.intp)
    last = np.clip(middle + reach + 1, first + 1, len(columns)).astype(np.intp)
    return _table(rows, columns, (first, last), lambda done, total: tick(total + 2 * done, 3 * total))


def _everything(rows: int, columns: int) -> tuple[Places, Places]:
    return np.zeros(rows, np.intp), np.full(rows, columns, np.intp)


def _thinned(sequence: Array, step: int) -> Array:
    """Means over `step` frames."""
    whole = np.pad(sequence, ((0, -len(sequence) % step), (0, 0)), mode="edge")
    return whole.reshape(-1, step, sequence.shape[1]).mean(axis=1)


def _table(rows: Array, columns: Array, band: tuple[Places, Places] | None, tick: Tick) -> NDArray[np.float64]:
    """The path of least cost through the cells of the band."""
    first, last = band or _everything(len(rows), len(columns))
    sums: list[Array] = []
    for i, row in enumerate(rows):
        begin, end = int(first[i]), int(last[i])
        cost = np.abs(columns[begin:end] - row).sum(axis=1)
        if i == 0:
            sums.append(cost)  # wherever the columns begin
            continue
        entered = cost + _from_above(sums[-1], int(first[i - 1]), begin, end)
        # Along the row, D[j] = cost[j] + min(above[j], D[j - 1]): the least of what entered before, and what was added since.
        along = np.cumsum(cost, dtype=np.float64)
        sums.append((along + np.minimum.accumulate(entered - along)).astype(np.float32))
        if i % 200 == 0:
            tick(i, len(rows))
    return _path(sums, first, len(columns))


def _from_above(above: Array, start: int, begin: int, end: int) -> Array:
    """The cheaper one of the cell above and the cell before it, for columns `begin` to `end`."""
    wide = np.full(end - begin + 1, np.inf, np.float32)  # from column begin - 1
    low, high = max(start, begin - 1), min(start + len(above), end)
    if low < high:
        wide[low - begin + 1 : high - begin + 1] = above[low - start : high - start]
    return np.minimum(wide[1:] + _HALT, wide[:-1])


def _path(sums: list[Array], first: Places, columns: int) -> NDArray[np.float64]:
    """Back from where it ends; of a row's cells on the path the mean."""
    last, column = _end(sums, first, columns)
    places = np.zeros(last + 1)
    for i in range(last, -1, -1):
        here = column
        while i and _cost(sums, first, i, column - 1) < min(
            _cost(sums, first, i - 1, column) + _HALT, _cost(sums, first, i - 1, column - 1)
        ):
            column -= 1
        places[i] = (here + column) / 2
        if i and _cost(sums, first, i - 1, column - 1) <= _cost(sums, first, i - 1, column) + _HALT:
            column -= 1
    return places


def _end(sums: list[Array], first: Places, columns: int) -> tuple[int, int]:
    """Row and column of the last cell: the cheapest of the last row, or, of few columns, where the last one is reached best."""
    last, column = len(sums) - 1, int(first[-1]) + int(np.argmin(sums[-1]))
    if columns > _FEW * len(sums):
        return last, column
    best = float(sums[-1].min()) / len(sums)
    for i in range(min(columns, len(sums)) // 2, len(sums)):
        cost = _cost(sums, first, i, columns - 1) / (i + 1)
        if cost < best:
            best, last, column = cost, i, columns - 1
    return last, column


def _cost(sums: list[Array], first: Places, row: int, column: int) -> float:
    place = column - int(first[row])
    return float(sums[row][place]) if 0 <= place < len(sums[row]) else np.inf
