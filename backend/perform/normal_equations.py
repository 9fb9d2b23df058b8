# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms that count at some frames only: each says that something falls short, and which way each degree of freedom mends it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class System:
    """Normal equations of each hand at each frame: matrix (N, H, D, D) and slope (N, H, D), in place; and `wrong` (N, H), by how
    many metres what is worst there is not as it should be."""

    matrix: Array
    slope: Array
    wrong: Array


@dataclass(frozen=True)
class Softness:
    """Metres: `spread` is the standard deviation of what falls short; from `outlier` on it pulls no harder. `firmly`: all of it so
    many times as hard."""

    spread: float
    outlier: float
    firmly: float = 1.0

    def add(
        self,
        system: System,
        where: tuple[Index, Index],
        rows: Array,
        short: Array,
        *,
        hardness: float = 1.0,
        wrong: NDArray[np.floating] | None = None,
    ) -> None:
        """Add `short` (M,), negative metres, at frames (M, K) that each give way and hands (M,), mended along rows (M, D).

        wrong (M,): metres that are wrong, where more or less than them is asked for.
        """
        wrong = -short if wrong is None else wrong
        weight = (hardness * self.firmly / self.spread) ** 2 / np.maximum(1.0, np.abs(short) / self.outlier)
        frames, hand = where
        places = (2 * frames + hand[:, None]).reshape(-1)
        order = np.argsort(places, kind="stable")
        which = order // frames.shape[1]
        rows, weight, short, wrong, place = rows[which], weight[which, None], short[which], wrong[which], places[order]
        weighted = weight * rows
        first = np.flatnonzero(np.diff(place, prepend=-1))  # several of one hand at one frame add up
        at = place[first] // 2, place[first] % 2
        system.matrix[at] += np.add.reduceat(weighted[:, :, None] * rows[:, None, :], first, axis=0)
        system.slope[at] += np.add.reduceat(weighted * short[:, None], first, axis=0)
        system.wrong[at] = np.maximum(system.wrong[at], np.maximum.reduceat(wrong, first))
