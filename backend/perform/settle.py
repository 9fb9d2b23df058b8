# SPDX-License-Identifier: GPL-3.0-or-later
"""Work where it is needed: first the hand as a whole, on some frames; then every frame; then, and only there, what has not come
to rest; and second tries where something is wrong then."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .mend import mend
from .problem import Problem
from .stillness import keep_still
from .stretches import HELD, stretches_in_rows, widened

Array = NDArray[np.float64]


def solve_and_settle(problem: Problem, look: Callable[[], None]) -> Array:
    """Poses (windows, frames, H, D). `look` is called often, and may raise."""
    settings, shape = problem.settings, (problem.windows, problem.frames)
    around = round(settings.around * problem.targets.rate)
    done = settings.iterations
    problem.forget_steps()
    dofs = problem.run(_roughly(problem, look), range(settings.skin_from, done), look)
    for more, calm in settings.rounds:
        rows, free = stretches_in_rows(widened(problem.restless().reshape(shape), around))
        if not free.any():
            break
        part, place, free = problem.part(rows, ~free), rows.reshape(-1), free.reshape(-1)
        if calm:
            keep_still(part, place, problem, dofs, calm)
        moved = part.run(dofs[place], range(done, done + more), look)
        dofs[place[free]] = moved[free]
        problem.take_back(part, place[free], free)
        done += more
    _look_again(problem, dofs, look)
    return mend(problem, dofs, look).reshape(*shape, *dofs.shape[1:])


def _look_again(problem: Problem, dofs: Array, look: Callable[[], None]) -> None:
    """What is wrong is known of where the last iteration began: what that one has still moved may be worse now."""
    rows, free = stretches_in_rows(widened(problem.restless().reshape(problem.windows, problem.frames), HELD))
    if free.any():
        part, place, free = problem.part(rows), rows.reshape(-1), free.reshape(-1)
        problem.wrong[place[free]] = part.faults(dofs[place], look)[free]


def _roughly(problem: Problem, look: Callable[[], None]) -> Array:
    """(N, H, D) the first iterations' poses, found at `rough_rate`; what they differ by from the prior, in between."""
    settings = problem.settings
    apart = max(int(problem.targets.rate // settings.rough_rate), 1)
    every = np.arange(len(problem.prior)).reshape(problem.windows, problem.frames)
    rough = problem.part(every[:, ::apart], apart=apart)
    away = rough.run(rough.prior.copy(), range(settings.skin_from), look) - rough.prior
    away = away.reshape(problem.windows, rough.frames, *away.shape[1:])
    place = np.arange(problem.frames) / apart
    before = place.astype(np.intp)
    after = np.minimum(before + 1, rough.frames - 1)
    share = (place - before)[:, None, None]
    return problem.prior + ((1.0 - share) * away[:, before] + share * away[:, after]).reshape(problem.prior.shape)
