# SPDX-License-Identifier: GPL-3.0-or-later
"""Second tries where a hand has come to rest and something is still wrong: the solve finds the nearest way for crowded fingers, and
there may be a better one. What a try makes better stays.

The last try, farther from the prior, left an eighth less wrong in 33 pieces of exercises and a sixth less of a motion by S2C, and
as much as before in 27 of music; in place of the third, or with others as far from the prior, it was worth less.

Tried and left, by what of all that is wrong in thirty pieces is mended (46 % then): counting what is asked for, with all room for
what moves and half of what two hands share, and not what is wrong (36 %, for almost twice as many tries); from 2 mm on (37 %), or
from 1 on (44 %, twice the work); a fourth try, with hands apart, further in or out, or higher (47, 48 %); stretches twice as long
(a third more work, and worse). Before, by twelve pieces: without the second try, or with half as many iterations, less; with more
of them, or five and eight times as firm, no more; each hand's better way, changing over where both are alike, nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .stillness import keep_still
from .stretches import stretches_in_rows, widened

Array = NDArray[np.float64]

_FAULT = 0.0015  # metres by which something is wrong, for a second try,
_FINE = 0.0007  # and that are well enough
_AROUND = 0.1  # seconds on both sides that are tried again with it
_WORTH = 3.0  # a try counts where it mends so many times as much as it spoils,
_LEAST = 0.1  # and more than this share of what was wrong
_STILL, _CALM = 4, 10.0  # last iterations, in which quiet moments keep so strictly to the mean of those around, as in `settle`


@dataclass(frozen=True)
class _Try:
    """Iterations of the solve, by their numbers: the higher, the tighter wishes are. firmly: those in which fingers, hands and keys
    keep off each other _FIRM times as much, which come first. afresh: from the prior, not from where the hands are. loosely: so
    many times as far from the prior counts as much."""

    firmly: range = range(0)
    after: range = range(0)
    afresh: bool = False
    loosely: float = 1.0


_FIRM = 3.0
_TRIES = (
    _Try(firmly=range(10, 18), after=range(18, 24)),
    _Try(after=range(3, 16), afresh=True),
    _Try(after=range(12)),
    _Try(after=range(12), loosely=2.0),
)


def mend(problem: Problem, dofs: Array, look: Callable[[], None]) -> Array:
    """Poses (N, H, D) with fewer faults, where the problem has come to `dofs`. `look` is called often, and may raise."""
    wrong, dofs = problem.wrong.copy(), dofs.copy()
    around = round(_AROUND * problem.targets.rate)
    for attempt in _TRIES:
        rows, free = stretches_in_rows(widened((wrong > _FAULT).reshape(problem.windows, problem.frames), around))
        if not free.any():
            break
        part, place, movable = problem.part(rows, ~free), rows.reshape(-1), free.reshape(-1)
        tried = _tried(part, dofs[place], movable, attempt, look)
        whole = dofs.copy()
        whole[place[movable]] = tried[movable]
        keep_still(part, place, problem, whole, _CALM)
        tried = part.run(tried, attempt.after[-_STILL:], look)
        was, becomes = part.faults(dofs[place], look), part.faults(tried, look)
        better = _better(free, was, becomes)
        dofs[place[better]] = tried[better]
        wrong[place[movable]] = np.where(better, becomes, was)[movable]
    return dofs


def _tried(part: Problem, dofs: Array, movable: NDArray[np.bool_], attempt: _Try, look: Callable[[], None]) -> Array:
    """Other poses (N, H, D), all but the last iterations."""
    part.settings = replace(part.settings, prior=attempt.loosely * part.settings.prior)
    part.forget_steps()
    start = np.where(movable[:, None, None], part.prior, dofs) if attempt.afresh else dofs
    part.keep_apart(_FIRM)
    tried = part.run(start, attempt.firmly, look)
    part.keep_apart(1.0)
    return part.run(tried, attempt.after[:-_STILL], look)


def _better(free: NDArray[np.bool_], before: Array, after: Array) -> NDArray[np.bool_]:
    """(N,) which `free` (rows, frames) frames are in a stretch of them in which less is wrong than before."""
    begins = free & ~np.pad(free, ((0, 0), (1, 0)))[:, :-1]
    stretch, free = np.cumsum(begins), free.reshape(-1)  # from 1 on; frames between stretches count with the one before
    was, now = (np.maximum(wrong - _FINE, 0.0) * free for wrong in (before, after))
    mended, spoilt = (np.bincount(stretch, np.maximum(change, 0.0)) for change in (was - now, now - was))
    counts = mended - _WORTH * spoilt > _LEAST * np.bincount(stretch, was)
    return free & counts[stretch]
