# SPDX-License-Identifier: GPL-3.0-or-later
"""How near few sampling steps come to many, for any S2C checkpoint: python -m tests.bench.bench_samplers CHECKPOINT.

Of each sampler and number of steps: how far its pose is from that of 1000 steps of DDIM from the same noise, and how far the mean
and spread of each channel over many seeds are from those of the published procedure, 1000 ancestral steps, with other noise.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from backend.listen.recording import read_wav
from numpy.typing import NDArray
from torch import Tensor

from backend import device
from backend.from_notes import first_seconds
from backend.listen.synth import render_score
from backend.s2c import checkpoint, take
from backend.s2c.audio_encoder import normalise
from backend.s2c.config import MODEL_FPS, SAMPLE_RATE
from backend.s2c.model import S2CModel
from backend.s2c.noise import SeededNoise
from backend.s2c.sampler import Listening, Sampler
from backend.s2c.schedule import NoiseSchedule
from backend.s2c.scheduler import AncestralScheduler, DDIMScheduler, DPMScheduler, Scheduler
from backend.s2c.smoothing import smooth
from backend.score import read_midi
from s2c_blender.wire.messages import DEFAULT_STEPS
from s2c_blender.wire.terminal import ProgressBar

SHIPPED = Path(__file__).parents[2] / "s2c_blender" / "pieces" / "demo.mid"
COUNTS = (8, 10, 12, 16, 20, 25, 30, 50)
BOUND = 1.0  # degrees, root mean square: 1.4 mm at a fingertip 80 mm away
DEGREES = 180.0  # of one unit of pose
OTHER_SEEDS = 1000  # from here on, for the ancestral procedure
BATCH = 32  # seeds at a time

Array = NDArray[np.floating]
Make = Callable[[NoiseSchedule, int], Scheduler]
SAMPLERS: dict[str, Make] = {"ancestral": AncestralScheduler, "DDIM": DDIMScheduler, "DPM-Solver++ 2M": DPMScheduler}


@dataclass(frozen=True)
class Row:
    """Of one sampler. `rms` and `largest`: distance from 1000 steps of DDIM; the others: of each channel's mean and spread from
    those of 1000 ancestral steps. Degrees."""

    sampler: str
    steps: int
    rms: float
    largest: float
    mean_rms: float
    mean_largest: float
    spread_rms: float
    spread_largest: float


@dataclass(frozen=True)
class Moments:
    """Of each channel over seeds and frames, and their standard errors, for frames of one seed are no independent samples."""

    mean: Array
    spread: Array
    mean_error: Array
    spread_error: Array

    @staticmethod
    def of(pose: Array) -> "Moments":
        """`pose` (S, 2, N, C)."""
        root = np.sqrt(len(pose))
        mean = pose.mean((0, 2))
        squares = np.square(pose - mean[:, None]).mean(2)  # (S, 2, C)
        spread = np.sqrt(squares.mean(0))
        return Moments(mean, spread, pose.mean(2).std(0, ddof=1) / root, squares.std(0, ddof=1) / root / (2 * spread))


class Bench:
    """A checkpoint that has heard one window of sound."""

    def __init__(self, model: S2CModel, sound: Tensor, place: device.Device) -> None:
        self._model, self._place = model, place
        self.schedule = NoiseSchedule.cosine(model.config.diffusion_steps)
        self._dtype = model.denoiser.hand(0).exit.weight.dtype
        with torch.inference_mode():
            positions, conditioning = model.prepare(normalise(sound)[None].to(place.torch))
            self._conditioning = model.denoiser.guide(conditioning, positions)

    def sample(self, scheduler: Scheduler, seeds: range, title: str) -> Array:
        """Pose (S, 2, N, C) in degrees."""
        config, bar = self._model.config, ProgressBar()
        try:
            found = Sampler(self._predict, scheduler).run(
                _Seeds(seeds),
                (config.frames, config.denoiser.channels),
                device=self._place.torch,
                listening=Listening(report=lambda done, total: bar.report(title, done, total)),
            )
        finally:
            bar.end()
        return found.cpu().double().numpy() * DEGREES

    def _predict(self, x: Tensor, step: int) -> Tensor:
        at = torch.tensor([step], device=x.device)
        parts = [self._model.denoiser(part.to(self._dtype), at, self._conditioning).float() for part in x.split(BATCH)]
        return self.schedule.clean(x, torch.cat(parts), step)


class _Seeds:
    """Noise of many seeds, (S, 2, N, C)."""

    def __init__(self, seeds: range) -> None:
        self._sources = [SeededNoise(seed) for seed in seeds]

    def start(self, frames: int, channels: int) -> Tensor:
        return torch.stack([source.start(frames, channels) for source in self._sources])

    def at(self, step: int, frames: int, channels: int) -> Tensor:
        return torch.stack([source.at(step, frames, channels) for source in self._sources])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="what import-checkpoint wrote, or a published experiment"
    )
    parser.add_argument("--sound", type=Path, metavar="FILE.wav", help="what it hears (the beginning of the shipped piece)")
    parser.add_argument("--frames", type=int, metavar="N", help="of the window; a multiple of 8 (the checkpoint's own)")
    parser.add_argument("--seeds", type=int, default=64, metavar="N", help="of mean and spread (64)")
    parser.add_argument("--paths", type=int, default=16, metavar="N", help="seeds compared with 1000 steps of DDIM (16)")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="N", help="numbers of steps")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    options = parser.parse_args()
    place = device.resolve()
    model = take.move(checkpoint.load(options.checkpoint), replace(place, precision=torch.float32, denoiser=None))
    if options.frames:
        model.config = replace(model.config, frames=options.frames)
    sound = _sound(options.sound, model.config.frames)
    bench = Bench(model, sound, place)
    began = time.perf_counter()
    full = len(bench.schedule)
    path = bench.sample(DDIMScheduler(bench.schedule, full), range(options.paths), f"DDIM, {full} steps")
    others = range(OTHER_SEEDS, OTHER_SEEDS + options.seeds)
    published = Moments.of(bench.sample(AncestralScheduler(bench.schedule), others, f"ancestral, {full} steps"))
    rows = list[Row]()
    for name, make in SAMPLERS.items():
        for count in options.counts:
            pose = bench.sample(make(bench.schedule, count), range(options.seeds), f"{name}, {count} steps")
            rows.append(_row(name, count, pose, path, published))
    fast = place.denoiser or place.precision
    if fast != torch.float32:
        bench = Bench(take.move(model, place), sound, place)
        name = f"DPM-Solver++ 2M in {str(fast).removeprefix('torch.')}"
        pose = bench.sample(DPMScheduler(bench.schedule, DEFAULT_STEPS), range(options.seeds), f"{name}, {DEFAULT_STEPS} steps")
        rows.append(_row(name, DEFAULT_STEPS, pose, path, published))
    _print(rows, path, published)
    print(f"{options.seeds} seeds, windows of {model.config.frames} frames, {time.perf_counter() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0


def _sound(path: Path | None, frames: int) -> Tensor:
    """(samples,) at 16 kHz of one window."""
    seconds = frames / MODEL_FPS
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder) / "piece.wav"
            render_score(first_seconds(read_midi(SHIPPED), seconds), path, sample_rate=SAMPLE_RATE)
        sound = read_wav(path, rate=SAMPLE_RATE, seconds=seconds)
    samples = round(seconds * SAMPLE_RATE)
    return torch.nn.functional.pad(torch.from_numpy(sound[:samples]), (0, max(0, samples - len(sound))))


def _row(name: str, count: int, pose: Array, path: Array, published: Moments) -> Row:
    error = pose[: len(path)] - path
    moments = Moments.of(pose)
    mean, spread = moments.mean - published.mean, moments.spread - published.spread
    return Row(name, count, _rms(error), _largest(error), _rms(mean), _largest(mean), _rms(spread), _largest(spread))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _largest(values: Array) -> float:
    return float(np.abs(values).max())


def _print(rows: list[Row], path: Array, published: Moments) -> None:
    print("| sampler | steps | error rms, max (units of pi) | error rms, max (degrees) | mean rms, max | spread rms, max |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        units = f"{row.rms / DEGREES:.5f}, {row.largest / DEGREES:.4f}"
        moments = f"{row.mean_rms:.2f}, {row.mean_largest:.2f} | {row.spread_rms:.2f}, {row.spread_largest:.2f}"
        print(f"| {row.sampler} | {row.steps} | {units} | {row.rms:.2f}, {row.largest:.1f} | {moments} |")
    chance = [np.sqrt(2) * error for error in (published.mean_error, published.spread_error)]
    print("| chance alone | | | | " + " | ".join(f"{_rms(error):.2f}, {3.5 * _largest(error):.2f}" for error in chance) + " |")
    print("Chance alone: two sets of seeds of the same distribution; the largest is passed by one set in twenty.")
    removed = path - np.stack([np.stack([smooth(hand) for hand in seed]) for seed in path])
    print(f"Poses spread by {_rms(published.spread):.1f} degrees; the smoothing at the end takes away {_rms(removed):.2f} rms.")
    for name in SAMPLERS:
        good = [row.steps for row in rows if row.sampler == name and row.rms <= BOUND]
        fewest = f"{min(good)} steps are the fewest" if good else "none of these numbers of steps is"
        print(f"{name}: {fewest} within {BOUND:g} degrees rms of 1000 steps of DDIM.")


if __name__ == "__main__":
    raise SystemExit(main())
