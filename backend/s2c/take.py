# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording to a clip by S2C: listen, sample, smooth, turn into the keyboard's frame, at the rate that hands carry."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.wire.clip import Clip, hand_rate
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.messages import DEFAULT_STEPS
from s2c_blender.wire.notes import Fingering, Score

from ..device import Device
from . import axes
from .behaviour import Behaviour
from .config import MODEL_FPS, POSITION_SCALE, SAMPLE_RATE
from .model import S2CModel
from .noise import SeededNoise
from .sampler import Listening, Sampler
from .schedule import NoiseSchedule
from .scheduler import SamplerKind, make_scheduler
from .smoothing import smooth, smooth_rotations
from .transformer import set_dropout
from .windows import TakeModel, WindowBatches, Windows

Array = NDArray[np.floating]

_BLOCK = 8192  # frames resampled at a time
PRE_ROLL = 1.0  # seconds before time zero in which the hands hold their first pose
BATCH = {"cpu": 4, "cuda": 32, "mps": 8}  # windows at a time, to begin with


@dataclass(frozen=True)
class SamplingSettings:
    """How to sample. `steps` counts for all but the ancestral sampler, which takes every one."""

    seed: int = 0
    steps: int = DEFAULT_STEPS
    sampler: SamplerKind = SamplerKind.DPM
    behaviour: Behaviour = field(default_factory=Behaviour)
    batch: int | None = None  # windows at a time; None: by device


@dataclass(frozen=True)
class Sampled:
    """What the model gives: pose (2, T, 48) in units of pi and positions (2, T, 3) in (-1, 1), both hands as right ones."""

    pose: Array
    positions: Array


def move(model: S2CModel, device: Device) -> S2CModel:
    """The model on a device and in its precisions."""
    model.to(device.torch)
    for part in (model.encoders, model.positions):
        part.to(device.precision)
    for side in HandSide:
        model.denoiser.hand(side).set_precision(device.denoiser or device.precision, once=device.precision)
    return model


def sample_take(
    model: S2CModel, sound: NDArray[np.float32], settings: SamplingSettings, *, device: Device, listening: Listening | None = None
) -> Sampled:
    """Sound (samples,) at 16 kHz to a take of its length. `model` is on the device already. Raises Cancelled."""
    listening = listening or Listening()
    how, config = settings.behaviour, model.config
    frames = int(np.ceil(len(sound) / SAMPLE_RATE * MODEL_FPS))
    windows = Windows.over(frames, config.frames)
    batches = WindowBatches(
        len(windows),
        settings.batch or BATCH[device.torch.type],
        free=device.free_memory,
        cancelled=listening.cancelled,
        tell=listening.window,
    )
    take = TakeModel(model, windows, batches, device=device.torch)
    if device.compiles:
        take.denoise = torch.compile(model.denoiser, dynamic=False)
    set_dropout(model, how.dropout)
    try:
        positions = take.listen(torch.from_numpy(sound), causal=how.causal_alone, joint=how.joint_normalisation)
        schedule = NoiseSchedule.cosine(config.diffusion_steps)
        sampler = Sampler(take.predict, make_scheduler(settings.sampler, schedule, settings.steps))
        noise = SeededNoise(settings.seed, same_start=how.same_start)
        pose = sampler.run(noise, (windows.frames, config.denoiser.channels), device=device.torch, listening=listening)
    finally:
        set_dropout(model, False)
        device.free_memory()
    return Sampled(*(values[:, :frames].cpu().double().numpy() for values in (pose, positions)))


def to_clip(
    sampled: Sampled, *, fps: float, convention: axes.HandConvention | None = None, behaviour: Behaviour | None = None
) -> Clip:
    """True hands in the keyboard's frame, without notes."""
    convention = convention or axes.HandConvention()
    turns = np.stack([_turns(pose, convention, behaviour or Behaviour()) for pose in sampled.pose], axis=1)
    translation = np.stack([smooth(places * np.array(POSITION_SCALE)) for places in sampled.positions], axis=1)
    rotations, places = axes.both_hands(turns, translation, wrist=convention.wrist)
    rate, seconds = hand_rate(fps), len(rotations) / MODEL_FPS
    times = -PRE_ROLL + np.arange(int(np.ceil((PRE_ROLL + seconds) * rate))) / rate
    nothing = np.zeros(0)
    return Clip(
        rotation=_rotations_at(rotations, times),
        translation=_places_at(axes.onto_keys(places), times).astype(np.float32),
        fps=fps,
        start=-PRE_ROLL,
        score=Score(()),
        fingering=Fingering(nothing.astype(np.int8), nothing.astype(np.int8), nothing, nothing),
    )


def _turns(pose: Array, convention: axes.HandConvention, behaviour: Behaviour) -> Array:
    """Pose (T, 48) to smoothed quaternions (T, 16, 4). MANO adds its mean pose to the rotation vectors."""
    vectors = axes.to_rotation_vectors(pose)
    if behaviour.filter_vectors:
        return rotation.continuous(rotation.from_axis_angle(smooth(vectors) + convention.mean_pose))
    return smooth_rotations(vectors + convention.mean_pose)


def _place(times: Array, frames: int) -> tuple[NDArray[np.intp], Array]:
    """The frame before each time and how far it is past it; the ends hold."""
    at = np.clip(times * MODEL_FPS, 0, frames - 1)
    first = np.minimum(at.astype(np.intp), max(frames - 2, 0))
    return first, at - first


def _rotations_at(rotations: Array, times: Array) -> NDArray[np.float32]:
    """Quaternions (T, ...) of one sign, blended between neighbours and normalised: frames are near each other."""
    near = rotation.continuous(rotations)
    made = np.empty((len(times), *rotations.shape[1:]), dtype=np.float32)
    for begin in range(0, len(times), _BLOCK):  # an hour's in-between products would take a gigabyte
        block = slice(begin, begin + _BLOCK)
        first, part = _place(times[block], len(rotations))
        part = part.reshape(-1, *[1] * (rotations.ndim - 1))
        second = np.minimum(first + 1, len(rotations) - 1)
        made[block] = rotation.normalize((1 - part) * near[first] + part * near[second])
    return made


def _places_at(places: Array, times: Array) -> Array:
    flat = places.reshape(len(places), -1)
    at = np.clip(times * MODEL_FPS, 0, len(places) - 1)
    columns = [np.interp(at, np.arange(len(flat)), column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(times), *places.shape[1:])
