# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of S2C at its published size with random numbers, beside the published procedure: python build.py bench --s2c.

With --training also the speed of steps of its second stage, by the settings in backend/training/gesture.toml.

The published procedure: windows of 8 s one at a time, hands one after the other, each with its own audio encoder, 1000 ancestral
steps in single precision, each of which maps and convolves all channels of the input with the library's own convolutions. It is
extrapolated from the fastest of a few steps; ours is run to its end, and the fastest go counts. All in one process.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend import device
from backend.s2c import take
from backend.s2c.blocks import Convolution
from backend.s2c.config import MODEL_FPS, SAMPLE_RATE
from backend.s2c.denoiser import HandCondition
from backend.s2c.model import S2CModel
from backend.s2c.schedule import NoiseSchedule
from backend.s2c.scheduler import AncestralScheduler
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.messages import DEFAULT_STEPS
from tests.s2c_models import PUBLISHED, SMALL, random_model

ROOM = 14e9  # bytes of memory from which each hand has numbers of its own
MINUTES = 2.0

Clock = Callable[[], float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10, metavar="N", help="of the published procedure (10)")
    parser.add_argument("--alike", action="store_true", help="both hands share one set of numbers, to save memory")
    parser.add_argument("--small", action="store_true", help="a small model, to try the program")
    parser.add_argument("--busy", action="store_true", help="one thread and its processor time, where the machine does other work")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")
    parser.add_argument("--training", action="store_true", help="the speed of training, too")
    options = parser.parse_args()
    place = device.resolve("cpu" if options.busy else options.device)
    if options.busy:
        torch.set_num_threads(1)
    clock = time.process_time if options.busy else _clock(place)
    alike = options.alike or _memory() < ROOM
    print(f"{torch.get_num_threads()} threads, other load {os.getloadavg()[0]:.1f}, {_name(place)}")
    model = random_model(SMALL if options.small else PUBLISHED, alike=alike)
    model.to(place.torch)
    numbers = sum(value.numel() for side in HandSide for part in _parts(model, side) for value in part.parameters())
    shared = ", the same for both hands" if alike else ""
    print(f"{numbers / 1e6:.0f} million numbers{shared}; {_peak():.1f} GB at most so far")
    published = Published(model, clock)
    published_listening, step = published.listen(), published.step(options.steps)
    print(f"published procedure: {published_listening:.2f} s to listen, {step:.3f} s a step (the fastest of {options.steps})")
    published.restore()
    own_step = _own_step(model, options.steps, clock)
    print(f"the same step with this program's layers, in single precision: {own_step:.3f} s")
    take.move(model, place)
    _ours(model, place, 1.0, clock=clock)
    window = PUBLISHED.frames / MODEL_FPS
    rows = [(f"{window:.0f} s, one window", 1, _ours(model, place, window, clock=clock, goes=3))]
    count = round(MINUTES * 60 / window)
    rows.append((f"{MINUTES:.0f} minutes", count, _ours(model, place, MINUTES * 60, clock=clock)))
    print(f"ours: {DEFAULT_STEPS} steps, denoiser in {str(place.denoiser or place.precision).removeprefix('torch.')}")
    print("| sound | published (s) | ours (s) | times faster | times faster than its steps by our layers |")
    print("|---|---|---|---|---|")
    full = PUBLISHED.diffusion_steps
    for name, windows, ours in rows:
        theirs, layers = (windows * (published_listening + full * each) for each in (step, own_step))
        print(f"| {name} | {theirs:.0f} | {ours:.2f} | {theirs / ours:.0f} | {layers / ours:.0f} |")
    print(f"peak memory {_peak():.1f} GB, other load at the end {os.getloadavg()[0]:.1f}")
    if options.training:
        _training(model.float(), place, options.steps)
    return 0


def _training(model: S2CModel, place: device.Device, count: int) -> None:
    """Prints the fastest of so many steps, in single precision and in bfloat16, on features that the frozen encoder gave before."""
    from accelerate.state import AcceleratorState

    from backend.training.batches import Batch
    from backend.training.config import Stage, read_config
    from backend.training.loop import Listening, Places, Training, accelerator_of

    config, _, _ = read_config(Stage.GESTURE)
    sizes, chance = model.config, torch.Generator().manual_seed(0)
    shape = (config.batch, 2, sizes.frames)
    heard = torch.randn(*shape, model.encoder(0).width, generator=chance)
    motion = torch.rand(*shape, 52, generator=chance) - 0.5
    print(f"training, batches of {config.batch} windows of {sizes.frames / MODEL_FPS:.0f} s")
    print("| precision | a step (s) | windows a second | peak memory (GB) |")
    print("|---|---|---|---|")
    for precision in ("fp32", "bf16"):
        settings = replace(config, precision=precision)
        training = Training(model, settings, Places(Path(), Path()), accelerator_of(settings, place.torch.type), Listening())
        batch = Batch(heard, motion).to(place.torch)
        if place.torch.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        step = _fastest(lambda training=training, batch=batch: training.step(0, batch, ready=True), count, _clock(place))
        print(f"| {precision} | {step:.3f} | {config.batch / step:.0f} | {_peak():.1f} |", flush=True)
        AcceleratorState._reset_state(True)  # which otherwise keeps the first precision for the process
        del training
        place.free_memory()


def _clock(place: device.Device) -> Clock:
    """A clock that waits for what the device was told before."""

    def now() -> float:
        if place.torch.type == "cuda":
            torch.cuda.synchronize()
        elif place.torch.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    return now


def _name(place: device.Device) -> str:
    return torch.cuda.get_device_name(place.torch) if place.torch.type == "cuda" else place.torch.type


class _LibraryConvolution(nn.Module):
    """The same convolution by torch's own, which wants channels before frames."""

    def __init__(self, ours: Convolution) -> None:
        super().__init__()
        weight = ours.weight.unflatten(1, (ours.kernel, -1)).transpose(1, 2).contiguous()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), ours.bias
        self.kernel, self.stride, self.padding = ours.kernel, ours.stride, ours.padding

    def forward(self, x: Tensor) -> Tensor:
        made = nn.functional.conv1d(x.transpose(1, 2), self.weight, self.bias, stride=self.stride, padding=self.padding)
        return made.transpose(1, 2)


class Published:
    """The published procedure by our parts, put together as it does."""

    def __init__(self, model: S2CModel, clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._swapped = list[tuple[nn.Module, str, Convolution]]()
        self._expected = _v(model)
        for owner in list(model.denoiser.modules()):
            for name, part in list(owner.named_children()):
                if isinstance(part, Convolution) and part.kernel > 1:
                    self._swapped.append((owner, name, part))
                    setattr(owner, name, _LibraryConvolution(part))

    def restore(self) -> None:
        for owner, name, part in self._swapped:
            setattr(owner, name, part)

    @torch.inference_mode()
    def listen(self) -> float:
        """Seconds for what comes before the steps of one window."""
        self._heard()
        return _fastest(self._heard, 2, self._clock)

    @torch.inference_mode()
    def step(self, count: int) -> float:
        """Seconds for one step, both hands. Checks first that a step gives what ours gives."""
        conditions, positions = self._heard()
        schedule = NoiseSchedule.cosine(self._model.config.diffusion_steps)
        scheduler = AncestralScheduler(schedule)
        error = float((self._v(_noise(self._model), 500, conditions, positions) - self._expected).abs().max())
        assert error < 1e-2, f"the published step is another: {error}"
        x, index = _noise(self._model), 0

        def one() -> None:
            nonlocal x, index
            at = scheduler.steps[index]
            clean = schedule.clean(x, self._v(x, at, conditions, positions), at)
            x = scheduler.step(index, x, clean, before=None, noise=torch.randn_like(x))
            index += 1

        return _fastest(one, count, self._clock)

    def _heard(self) -> tuple[list[Tensor], list[Tensor]]:
        """Of each hand, condition (1, N, F) and position (1, N, 3)."""
        model, sound = self._model, _one_window(self._model)
        conditions, positions = list[Tensor](), list[Tensor]()
        for side in HandSide:
            features = model.encoder(side).encode(model.encoder(side).convolve(sound), model.config.frames)
            positions.append(model.predictor(side)(features)[0])
            conditions.append(model.denoiser.hand(side).condition(features))
        return conditions, positions

    def _v(self, x: Tensor, step: int, conditions: list[Tensor], positions: list[Tensor]) -> Tensor:
        down, at = [], torch.tensor([step], device=x.device)
        for side in HandSide:
            hand = self._model.denoiser.hand(side)
            assert hand.remap is not None
            guide = torch.cat([positions[side], positions[1 - side]], dim=-1)
            start = hand.entry(torch.cat([conditions[side], hand.remap(x[:, side]), guide], dim=-1))
            down.append(hand.descend(x[:, side, :, :0], at, HandCondition(start, start.new_zeros(start.shape[-1], 0))))
        hands = [self._model.denoiser.hand(side) for side in HandSide]
        fused = [hands[side].coordination(down[side].bottleneck, down[1 - side].bottleneck) for side in HandSide]
        return torch.stack([hands[side].ascend(fused[side], down[side]) for side in HandSide], dim=1)


@torch.inference_mode()
def _v(model: S2CModel) -> Tensor:
    positions, conditioning = model.prepare(_one_window(model))
    x = _noise(model)
    return model.denoiser(x, torch.tensor([500], device=x.device), model.denoiser.guide(conditioning, positions))


@torch.inference_mode()
def _own_step(model: S2CModel, count: int, clock: Clock) -> float:
    positions, conditioning = model.prepare(_one_window(model))
    conditioning = model.denoiser.guide(conditioning, positions)
    x = _noise(model)
    at = torch.tensor([500], device=x.device)
    model.denoiser(x, at, conditioning)
    return _fastest(lambda: model.denoiser(x, at, conditioning), count, clock)


def _ours(model: S2CModel, place: device.Device, seconds: float, *, clock: Clock, goes: int = 1) -> float:
    """Seconds for a whole take of sound, from listening to pose."""
    sound = _sound(round(seconds * SAMPLE_RATE)).numpy()
    return _fastest(lambda: take.sample_take(model, sound, take.SamplingSettings(), device=place), goes, clock)


def _fastest(work: Callable[[], object], count: int, clock: Clock) -> float:
    """Seconds of the fastest of so many goes: what else runs on the machine only ever adds."""
    taken = list[float]()
    for _ in range(count):
        began = clock()
        work()
        taken.append(clock() - began)
    return min(taken)


def _sound(samples: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(0, 1, samples).astype(np.float32))


def _one_window(model: S2CModel) -> Tensor:
    """Of sound, on the model's device."""
    return _sound(model.config.samples)[None].to(next(model.parameters()).device)


def _noise(model: S2CModel) -> Tensor:
    shape = (1, 2, model.config.frames, model.config.denoiser.channels)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(next(model.parameters()).device)


def _parts(model: S2CModel, side: HandSide) -> list[nn.Module]:
    return [model.encoder(side), model.predictor(side), model.denoiser.hand(side)]


def _memory() -> float:
    """Bytes of the machine, as far as it says."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else 0.0


def _peak() -> float:
    """GB held at most: the graphics card's, if one does the work."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


if __name__ == "__main__":
    raise SystemExit(main())
