# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedulers: one reverse step each. They hold a NoiseSchedule and no model, and are given x0, the clean signal predicted."""

import math
from enum import Enum
from typing import Protocol

from torch import Tensor

from s2c_blender.wire.errors import PianoHandsError

from .schedule import NoiseSchedule


class SamplerKind(Enum):
    """How to go from noise to signal."""

    DPM = "dpm"
    DDIM = "ddim"
    ANCESTRAL = "ancestral"


class Scheduler(Protocol):
    """`steps`: the diffusion steps at which the model is asked, noisiest first. `noisy`: whether steps take new noise."""

    steps: tuple[int, ...]
    noisy: bool

    def step(self, index: int, x: Tensor, clean: Tensor, *, before: Tensor | None, noise: Tensor | None) -> Tensor:
        """x after step `index`, from x and its predicted x0; `before`: the x0 of the step before, `noise`: of x's shape."""
        ...


def trailing(schedule: NoiseSchedule, count: int) -> tuple[int, ...]:
    """`count` steps evenly apart, the noisiest among them (Lin et al. 2024, "Common diffusion noise schedules", section 3.3)."""
    if not 1 <= count <= len(schedule):
        raise PianoHandsError(
            "bad-setting", f"{count} steps cannot be taken.", f"Choose a number of steps from 1 to {len(schedule)}."
        )
    return tuple(round(len(schedule) * (1 - index / count)) - 1 for index in range(count))


class AncestralScheduler:
    """DDPM (Ho et al. 2020, algorithm 2): new noise at each step. All steps, or `count` of them with the betas that belong to
    those alone (Nichol & Dhariwal 2021, section 4)."""

    noisy = True

    def __init__(self, schedule: NoiseSchedule, count: int | None = None) -> None:
        self.steps = trailing(schedule, len(schedule) if count is None else count)
        self._schedule = schedule if count is None else schedule.only(self.steps[::-1])

    def step(self, index: int, x: Tensor, clean: Tensor, *, before: Tensor | None, noise: Tensor | None) -> Tensor:
        at, schedule = len(self.steps) - 1 - index, self._schedule
        mean = float(schedule.posterior_clean[at]) * clean + float(schedule.posterior_noisy[at]) * x
        if at == 0 or noise is None:
            return mean
        return mean + math.exp(0.5 * float(schedule.posterior_log_variance[at])) * noise


class DDIMScheduler:
    """DDIM with eta 0 (Song et al. 2021, equation 12): the same way for the same noise."""

    noisy = False

    def __init__(self, schedule: NoiseSchedule, count: int) -> None:
        self.steps = trailing(schedule, count)
        self._schedule = schedule

    def step(self, index: int, x: Tensor, clean: Tensor, *, before: Tensor | None, noise: Tensor | None) -> Tensor:
        signal, noisy = self._schedule.mix(self.steps[index])
        next_signal, next_noisy = self._schedule.mix(self.steps[index + 1] if index + 1 < len(self.steps) else -1)
        return next_signal * clean + next_noisy * (x - signal * clean) / noisy


class DPMScheduler:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): x0 is carried on in a straight line through the last two steps."""

    noisy = False

    def __init__(self, schedule: NoiseSchedule, count: int) -> None:
        self.steps = trailing(schedule, count)
        self._schedule = schedule

    def step(self, index: int, x: Tensor, clean: Tensor, *, before: Tensor | None, noise: Tensor | None) -> Tensor:
        if index + 1 == len(self.steps):
            return clean
        here, there = self._place(index), self._place(index + 1)
        aim = clean
        if index and before is not None:
            ratio = (here - self._place(index - 1)) / (there - here)
            aim = (1 + 0.5 / ratio) * clean - 0.5 / ratio * before
        _, noisy = self._schedule.mix(self.steps[index])
        next_signal, next_noisy = self._schedule.mix(self.steps[index + 1])
        return next_noisy / noisy * x - next_signal * math.expm1(here - there) * aim

    def _place(self, index: int) -> float:
        """Half the logarithm of signal over noise."""
        signal, noise = self._schedule.mix(self.steps[index])
        return math.log(signal / noise)


def make_scheduler(kind: SamplerKind, schedule: NoiseSchedule, count: int) -> Scheduler:
    """`count` is not asked for by the ancestral one, which takes every step."""
    if kind is SamplerKind.ANCESTRAL:
        return AncestralScheduler(schedule)
    return DDIMScheduler(schedule, count) if kind is SamplerKind.DDIM else DPMScheduler(schedule, count)
