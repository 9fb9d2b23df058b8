# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows sampled many at a time, each from noise of its own: what is made of a window depends on no other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..s2c.model import S2CModel
from ..s2c.noise import SeededNoise
from ..s2c.sampler import Sampler
from ..s2c.schedule import NoiseSchedule
from ..s2c.scheduler import SamplerKind, make_scheduler


class WindowNoise:
    """Noise (B, 2, N, channels) of as many windows as there are seeds."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._each = [SeededNoise(seed) for seed in seeds]

    def start(self, frames: int, channels: int) -> Tensor:
        return torch.stack([noise.start(frames, channels) for noise in self._each])

    def at(self, step: int, frames: int, channels: int) -> Tensor:
        return torch.stack([noise.at(step, frames, channels) for noise in self._each])


@dataclass(frozen=True)
class Made:
    """pose: (B, 2, N, 48) in units of pi; positions: (B, 2, N, 3) of `POSITION_SCALE`; on the CPU, both hands as right ones."""

    pose: Tensor
    positions: Tensor


@torch.inference_mode()
def sample_windows(
    model: S2CModel, features: Sequence[Tensor], seeds: Sequence[int], *, steps: int, sampler: SamplerKind = SamplerKind.DPM
) -> Made:
    """Features (B, N, F) of each hand, on the model's device, to motion."""
    positions, conditions = model.place(features)
    conditioning = model.denoiser.guide(model.denoiser.prepare(conditions), positions)
    schedule = NoiseSchedule.cosine(model.config.diffusion_steps)
    device, dtype = positions.device, model.denoiser.hand(0).exit.weight.dtype

    def predict(x: Tensor, step: int) -> Tensor:
        v = model.denoiser(x.to(dtype), torch.tensor([step], device=device), conditioning)
        return schedule.clean(x, v.float(), step)

    shape = (model.config.frames, model.config.denoiser.channels)
    run = Sampler(predict, make_scheduler(sampler, schedule, steps), model.config.temperature)
    pose = run.run(WindowNoise(seeds), shape, device=device)
    pose, positions = model.in_units(pose.float(), positions.float())
    return Made(pose.cpu(), positions.cpu())
