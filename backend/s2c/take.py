# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording, or a roll of notes, to the model's numbers by S2C: listen, sample."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.messages import DEFAULT_STEPS

from ..device import Device
from .behaviour import Behaviour
from .config import MODEL_FPS, SAMPLE_RATE
from .model import S2CModel
from .noise import SeededNoise
from .sampler import Listening, Sampler
from .schedule import NoiseSchedule
from .scheduler import SamplerKind, make_scheduler
from .take_clip import Sampled
from .transformer import set_dropout
from .windows import TakeModel, WindowBatches, Windows

BATCH = {"cpu": 4, "cuda": 32, "mps": 8}  # windows at a time, to begin with


@dataclass(frozen=True)
class SamplingSettings:
    """How to sample. `steps` counts for all but the ancestral sampler, which takes every one."""

    seed: int = 0
    steps: int = DEFAULT_STEPS
    sampler: SamplerKind = SamplerKind.DPM
    behaviour: Behaviour = field(default_factory=Behaviour)
    batch: int | None = None  # windows at a time; None: by device


def move(model: S2CModel, device: Device) -> S2CModel:
    """The model on a device and in its precisions."""
    model.to(device.torch)
    for part in (model.encoders, model.positions):
        part.to(device.precision)
    for side in HandSide:
        model.denoiser.hand(side).set_precision(device.denoiser or device.precision, once=device.precision)
    return model


def sample_take(
    model: S2CModel, heard: NDArray[np.float32], settings: SamplingSettings, *, device: Device, listening: Listening | None = None
) -> Sampled:
    """Sound (samples,) at 16 kHz, or a roll (2, T, keys), to a take as long. `model` is on the device already. Raises Cancelled."""
    listening = listening or Listening()
    how, config = settings.behaviour, model.config
    frames = heard.shape[1] if config.reads_notes else int(np.ceil(len(heard) / SAMPLE_RATE * MODEL_FPS))
    windows = Windows.over(frames, config.frames)
    batches = WindowBatches(
        len(windows),
        settings.batch or BATCH[device.torch.type],
        free=device.free_memory,
        cancelled=listening.cancelled,
        tell=listening.window,
    )
    take = TakeModel(model, windows, batches, device=device.torch)
    set_dropout(model, how.dropout)
    try:
        positions = take.listen(torch.from_numpy(heard), causal=how.causal_alone, joint=how.joint_normalisation)
        schedule = NoiseSchedule.cosine(config.diffusion_steps)
        sampler = Sampler(take.predict, make_scheduler(settings.sampler, schedule, settings.steps), config.temperature)
        noise = SeededNoise(settings.seed, same_start=how.same_start)
        pose = sampler.run(noise, (windows.frames, config.denoiser.channels), device=device.torch, listening=listening)
    finally:
        set_dropout(model, False)
        device.free_memory()
    return Sampled(*(values[:, :frames].cpu().double().numpy() for values in model.in_units(pose, positions)))
