# SPDX-License-Identifier: GPL-3.0-or-later
"""A hand that holds its keys holds still, even where its contacts contradict each other."""

import numpy as np
from numpy.typing import NDArray

from .problem import Problem

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def keep_still(part: Problem, place: Index, problem: Problem, dofs: Array, calm: float) -> None:
    """From now on quiet moments of a part, frames `place` of the problem, stay near the mean of what the problem's poses `dofs`
    (N, H, D) are around, `calm` times as strictly as near the prior."""
    part.stay_near(_on_the_mean(problem, dofs)[place], calm * problem.quiet[place])


def _on_the_mean(problem: Problem, dofs: Array) -> Array:
    """(N, H, D) the poses with what they differ by from the prior on the mean of the quiet moments around, a Gaussian one."""
    around = max(round(problem.settings.quiet_time * problem.targets.rate), 1)
    windows = (problem.windows, problem.frames)
    weight = np.maximum(problem.quiet, 1e-6)[..., None]
    summands = np.concatenate([(dofs - problem.prior) * weight, weight], axis=-1).reshape(*windows, 2, -1)
    padded = np.pad(summands, ((0, 0), (around, around), (0, 0), (0, 0)))
    total = np.zeros_like(summands)
    for place in range(2 * around + 1):
        total += np.exp(-2.0 * (place / around - 1.0) ** 2) * padded[:, place : place + windows[1]]
    return problem.prior + (total[..., :-1] / total[..., -1:]).reshape(dofs.shape)
