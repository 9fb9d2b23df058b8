# SPDX-License-Identifier: GPL-3.0-or-later
"""NoiseSchedule: how much signal and noise there is at each diffusion step. Holds no model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """`betas` (S,) float64; all else follows (Ho et al. 2020). Numbers of each step, float64.

    v-prediction (Salimans & Ho 2022): x = sqrt(a) x0 + sqrt(1 - a) noise, v = sqrt(a) noise - sqrt(1 - a) x0.
    """

    betas: Tensor

    @staticmethod
    def cosine(steps: int, *, offset: float = 0.008, largest: float = 0.999) -> "NoiseSchedule":
        """Nichol & Dhariwal 2021, section 3.2."""
        at = torch.linspace(0, steps, steps + 1, dtype=torch.float64) / steps
        kept = torch.cos((at + offset) / (1 + offset) * math.pi / 2) ** 2
        return NoiseSchedule((1 - kept[1:] / kept[:-1]).clip(0, largest))

    def only(self, steps: Sequence[int]) -> "NoiseSchedule":
        """The schedule that goes through some of the steps, from the cleanest on, with the signal and noise that they have here."""
        kept = self.kept[list(steps)]
        return NoiseSchedule(1 - kept / torch.cat([torch.ones(1, dtype=kept.dtype), kept[:-1]]))

    def __len__(self) -> int:
        return len(self.betas)

    @cached_property
    def kept(self) -> Tensor:
        """Share of the signal's variance that is left (alpha bar)."""
        return torch.cumprod(1 - self.betas, dim=0)

    @cached_property
    def kept_before(self) -> Tensor:
        """The same one step nearer to the signal."""
        return torch.cat([torch.ones(1, dtype=torch.float64), self.kept[:-1]])

    @cached_property
    def posterior_variance(self) -> Tensor:
        return self.betas * (1 - self.kept_before) / (1 - self.kept)

    @cached_property
    def posterior_log_variance(self) -> Tensor:
        """Clipped, for it is minus infinity at step 0."""
        return self.posterior_variance.clip(min=1e-20).log()

    @cached_property
    def posterior_clean(self) -> Tensor:
        """Weight of x0 in the posterior's mean."""
        return self.betas * self.kept_before.sqrt() / (1 - self.kept)

    @cached_property
    def posterior_noisy(self) -> Tensor:
        """Weight of x in the posterior's mean."""
        return (1 - self.kept_before) * (1 - self.betas).sqrt() / (1 - self.kept)

    def clean(self, x: Tensor, v: Tensor, step: int) -> Tensor:
        """x0 in [-1, 1] that v implies."""
        signal, noise = self.mix(step)
        return (signal * x - noise * v).clamp(-1.0, 1.0)

    def mix(self, step: int) -> tuple[float, float]:
        """Amplitudes of signal and noise after `step`; -1 is the clean signal."""
        if step < 0:
            return 1.0, 0.0
        kept = float(self.kept[step])
        return math.sqrt(kept), math.sqrt(1 - kept)
