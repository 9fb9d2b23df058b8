# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampler: the loop from noise to signal. It knows neither network nor windows: it is given what predicts the clean signal."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2c_blender.wire.errors import Cancelled

from .noise import NoiseSource
from .scheduler import Scheduler

#: x (2, T, channels) and the diffusion step to x0 (2, T, channels).
PredictClean = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Listening:
    """Who hears of each step (done, total), and can stop the run between two."""

    report: Callable[[int, int], None] = lambda done, total: None
    cancelled: Callable[[], bool] = lambda: False
    window: Callable[[int, int], None] = lambda done, total: None  # windows done, of one pass over all
    look: Callable[[int, Tensor], None] = lambda step, x: None  # x after a diffusion step


@dataclass(frozen=True)
class Sampler:
    """Both hands jointly, by any scheduler."""

    predict: PredictClean
    scheduler: Scheduler
    temperature: float = 1.0  # standard deviation of the noise: below 1, takes are nearer to what is usual and to each other

    @torch.inference_mode()
    def run(
        self, noise: NoiseSource, shape: tuple[int, int], *, device: torch.device, listening: Listening | None = None
    ) -> Tensor:
        """`shape`: frames and channels. Returns x0 (2, frames, channels). Raises Cancelled."""
        listening = listening or Listening()
        steps = self.scheduler.steps
        x = self.temperature * noise.start(*shape).to(device)
        before: Tensor | None = None
        for index, step in enumerate(steps):
            if listening.cancelled():
                raise Cancelled
            listening.report(index, len(steps))
            clean = self.predict(x, step)
            drawn = self.temperature * noise.at(step, *shape).to(device) if self.scheduler.noisy and step > 0 else None
            x = self.scheduler.step(index, x, clean, before=before, noise=drawn)
            before = clean
            listening.look(step, x)
        listening.report(len(steps), len(steps))
        return x
