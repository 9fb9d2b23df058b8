# SPDX-License-Identifier: GPL-3.0-or-later
"""Second tries where a hand has come to rest and something is still wrong: the solve finds the nearest way for crowded fingers, and
there may be a better one. What a try makes better stays.

Tried and left, by what of all that is wrong in twelve pieces is mended (17 % now): a third try, afresh from the prior (20 %, for
two fifths more work in tries); three with half as many iterations (14 %); more iterations (no more); longer stretches (what is
better in one place is lost by what is worse in another); five and eight times as firm (no better); each hand's better way, changing
over where both are alike (where hands run through each other 4 % less is left wrong; in pieces, nothing).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .stretches import stretches_in_rows, widened

Array = NDArray[np.float64]

_FAULT = 0.002  # metres by which something is wrong, for a second try,
_FINE = 0.001  # and that are well enough
_AROUND = 0.1  # seconds on both sides that are tried again with it
_WORTH = 3.0  # a try counts where it mends so many times as much as it spoils,
_LEAST = 0.1  # and more than this share of what was wrong


# Iterations of the solve, by their numbers: the higher, the tighter wishes are. First come those in which fingers, hands and keys
# keep off each other _FIRM times as much.
_FIRM = 3.0
_TRIES = ((range(10, 18), range(18, 24)), (range(0), range(12)))


def mend(problem: Problem, dofs: Array, look: Callable[[], None]) -> Array:
    """Poses (N, H, D) with fewer faults, where the problem has come to `dofs`. `look` is called often, and may raise."""
    wrong, dofs = problem.wrong.copy(), dofs.copy()
    around = round(_AROUND * problem.targets.rate)
    for firmly, after in _TRIES:
        rows, free = stretches_in_rows(widened((wrong > _FAULT).reshape(problem.windows, problem.frames), around))
        if not free.any():
            break
        part, place, movable = problem.part(rows, ~free), rows.reshape(-1), free.reshape(-1)
        part.forget_steps()
        part.keep_apart(_FIRM)
        tried = part.run(dofs[place], firmly, look)
        part.keep_apart(1.0)
        tried = part.run(tried, after, look)
        was, becomes = part.faults(dofs[place], look), part.faults(tried, look)
        better = _better(free, was, becomes)
        dofs[place[better]] = tried[better]
        wrong[place[movable]] = np.where(better, becomes, was)[movable]
    return dofs


def _better(free: NDArray[np.bool_], before: Array, after: Array) -> NDArray[np.bool_]:
    """(N,) which `free` (rows, frames) frames are in a stretch of them in which less is wrong than before."""
    begins = free & ~np.pad(free, ((0, 0), (1, 0)))[:, :-1]
    stretch, free = np.cumsum(begins), free.reshape(-1)  # from 1 on; frames between stretches count with the one before
    was, now = (np.maximum(wrong - _FINE, 0.0) * free for wrong in (before, after))
    mended, spoilt = (np.bincount(stretch, np.maximum(change, 0.0)) for change in (was - now, now - was))
    counts = mended - _WORTH * spoilt > _LEAST * np.bincount(stretch, was)
    return free & counts[stretch]
