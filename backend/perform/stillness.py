# SPDX-License-Identifier: GPL-3.0-or-later
"""A hand that holds its keys holds still, even where its contacts contradict each other."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy

from .problem import Problem

Array = NDArray[np.float64]


def quiet_moments(problem: Problem) -> Array:
    """(N, H) from 1, where the prior's fingers hardly turn, to 0, where they do. In quiet moments a hand must not shake because
    its contacts contradict each other."""
    settings = problem.settings
    around = max(round(0.5 * settings.quiet_time * problem.targets.rate), 1)
    fingers = problem.prior[..., anatomy.FINGER_DOFS[0].start :].reshape(problem.windows, problem.frames, -1)
    fingers = np.pad(fingers, ((0, 0), (around, around), (0, 0)), mode="edge")
    turned = np.abs(fingers[:, 2 * around :] - fingers[:, : -2 * around]).reshape(len(problem.prior), 2, -1).max(axis=-1)
    return np.clip(2.0 - turned / settings.quiet, 0.0, 1.0)


def on_the_mean(problem: Problem, dofs: Array, quiet: Array) -> Array:
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
