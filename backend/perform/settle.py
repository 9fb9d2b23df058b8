# SPDX-License-Identifier: GPL-3.0-or-later
"""Work where it is needed: first the hand as a whole, on some frames; then every frame; then, and only there, what has not come
to rest; and second tries where something is wrong then."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy

from .mend import mend
from .problem import Problem
from .stretches import stretches_in_rows, widened

Array = NDArray[np.float64]


def solve_and_settle(problem: Problem, look: Callable[[], None]) -> Array:
    """Poses (windows, frames, H, D). `look` is called often, and may raise."""
    settings, shape = problem.settings, (problem.windows, problem.frames)
    around = round(settings.around * problem.targets.rate)
    done = settings.iterations
    problem.forget_steps()
    dofs = problem.run(_roughly(problem, look), range(settings.skin_from, done), look)
    quiet = _quiet(problem)
    for more, calm in settings.rounds:
        rows, free = stretches_in_rows(widened(problem.restless().reshape(shape), around))
        if not free.any():
            break
        part = problem.part(rows, ~free)
        if calm:
            part.stay_near(_on_the_mean(problem, dofs, quiet)[rows.reshape(-1)], calm * quiet[rows.reshape(-1)])
        moved = part.run(dofs[rows.reshape(-1)], range(done, done + more), look)
        place, free = rows.reshape(-1), free.reshape(-1)
        dofs[place[free]] = moved[free]
        problem.take_back(part, place[free], free)
        done += more
    return mend(problem, dofs, look).reshape(*shape, *dofs.shape[1:])


def _quiet(problem: Problem) -> Array:
    """(N, H) from 1, where the prior's fingers hardly turn, to 0, where they do. In quiet moments a hand must not shake because
    its contacts contradict each other."""
    settings = problem.settings
    around = max(round(0.5 * settings.quiet_time * problem.targets.rate), 1)
    fingers = problem.prior[..., anatomy.FINGER_DOFS[0].start :].reshape(problem.windows, problem.frames, -1)
    fingers = np.pad(fingers, ((0, 0), (around, around), (0, 0)), mode="edge")
    turned = np.abs(fingers[:, 2 * around :] - fingers[:, : -2 * around]).reshape(len(problem.prior), 2, -1).max(axis=-1)
    return np.clip(2.0 - turned / settings.quiet, 0.0, 1.0)


def _on_the_mean(problem: Problem, dofs: Array, quiet: Array) -> Array:
    """(N, H, D) the poses with what they differ by from the prior on the mean of the quiet moments around, a Gaussian one."""
    around = max(round(problem.settings.quiet_time * problem.targets.rate), 1)
    windows = (problem.windows, problem.frames)
    weight = np.maximum(quiet, 1e-6)[..., None]
    summands = np.concatenate([(dofs - problem.prior) * weight, weight], axis=-1).reshape(*windows, 2, -1)
    padded = np.pad(summands, ((0, 0), (around, around), (0, 0), (0, 0)))
    total = np.zeros_like(summands)
    for place in range(2 * around + 1):
        total += np.exp(-2.0 * (place / around - 1.0) ** 2) * padded[:, place : place + windows[1]]
    return problem.prior + (total[..., :-1] / total[..., -1:]).reshape(dofs.shape)


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
