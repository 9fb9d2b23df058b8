# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares our model with numbers recorded from the published code: every entry of outputs.npz. Sizes are read from the files."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2c_blender.wire.archive import read_arrays
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide

from ..device import resolve
from .audio_encoder import normalise
from .config import POSITION_SCALE
from .dual_denoiser import Conditioning
from .losses import denoiser_loss, position_losses
from .masks import causal_bias
from .reference_checkpoint import load_reference
from .sampler import Listening, Sampler
from .schedule import NoiseSchedule
from .scheduler import AncestralScheduler
from .smoothing import smooth

TOLERANCE = 1e-4
LARGEST = 1_000_000_000  # bytes of one file of recorded numbers
Arrays = dict[str, NDArray[np.generic]]
Entry = tuple[str, NDArray[np.generic]]


def published_schedule(schedule: NoiseSchedule) -> dict[str, Tensor]:
    """Each number of a schedule, (S,), under its published name."""
    return {
        "betas": schedule.betas,
        "alphas_cumprod": schedule.kept,
        "posterior_variance": schedule.posterior_variance,
        "posterior_log_variance_clipped": schedule.posterior_log_variance,
        "posterior_mean_coef1": schedule.posterior_clean,
        "posterior_mean_coef2": schedule.posterior_noisy,
        "loss_weight": schedule.kept,
    }


class Verification:
    """`entries` gives every number that can be computed from the folder's inputs, under the name it is recorded by."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._device = device
        self.model = load_reference(folder).to(device)
        self.inputs = _read(folder / "inputs.npz")
        self.expected = _read(folder / "outputs.npz")
        train = folder / "train_inputs.npz"
        self.train = _read(train) if train.exists() else None
        self.schedule = NoiseSchedule.cosine(self.model.config.diffusion_steps)

    @torch.inference_mode()
    def entries(self) -> Iterator[Entry]:
        for batch in sorted({int(match[1]) for name in self.expected if (match := re.match(r"b(\d+)/", name))}):
            yield from self._stages(batch)
        yield from self._steps()
        yield from self._runs()
        yield from self._masks()
        if self.train is not None:
            yield from self._losses(self.train)

    def _sound(self, batch: int) -> Tensor:
        return normalise(_tensor(self.inputs["pcm"][:batch].astype(np.float32) / 32768)).to(self._device)

    def _hands(self, name: str, batch: int) -> Tensor:
        """Recorded (B, C, N) of both hands to (B, 2, N, C)."""
        hands = [_tensor(self.inputs[f"{name}_{side.word}"][:batch]).transpose(1, 2) for side in HandSide]
        return torch.stack(hands, dim=1).to(self._device)

    def _condition(self, batch: int) -> tuple[Tensor, Conditioning]:
        positions, conditioning = self.model.prepare(self._sound(batch), causal=batch == 1)
        return positions, self.model.denoiser.guide(conditioning, positions)

    @cached_property
    def _alone(self) -> tuple[Tensor, Conditioning]:
        return self._condition(1)

    def _stages(self, batch: int) -> Iterator[Entry]:
        sound = self._sound(batch)
        statistics = [sound.mean(), sound.std(correction=0), sound[0, 1000], sound[-1, 50000]]
        yield f"b{batch}/audio_norm_stats", np.array([float(value) for value in statistics])
        positions, conditioning = self._condition(batch)
        features = self.model.features(sound)
        x, step = self._hands("x_t", batch), torch.full((batch,), 500, device=self._device)
        hands = [self.model.denoiser.hand(side) for side in HandSide]
        down = [hand.descend(x[:, side], step, conditioning.hands[side]) for side, hand in enumerate(hands)]
        v = self.model.denoiser(x, step, conditioning)
        for side, hand in zip(HandSide, hands, strict=True):
            place = f"b{batch}/{side.word}/"
            convolved = self.model.encoder(side).convolve(sound)
            _, hidden = self.model.predictor(side)(features[side], causal=batch == 1)
            chosen = {"audio_f": (features[side],), "hidden_f": (hidden,), "both": (features[side], hidden)}
            condition = torch.cat(chosen[self.model.config.condition], dim=-1)
            yield place + "conv_mid", _array(convolved[:, :, 180:196])
            yield place + "conv_frames", np.array([convolved.shape[-1]])
            yield place + "hubert", _array(features[side])
            yield place + "position", _array(positions[:, side])
            yield place + "xcond", _channels_first(hand.condition(condition, causal=batch == 1))
            yield place + "t_emb", _array(down[side].time)
            yield place + "init_conv_head", _channels_first(down[side].start[:, :16])
            yield place + "skip_means", np.array([float(skip.abs().mean()) for skip in down[side].skips])
            yield place + "bottleneck", _channels_first(down[side].bottleneck)
            yield place + "hcaa", _channels_first(hand.coordination(down[side].bottleneck, down[1 - side].bottleneck))
            yield place + "v_t500", _channels_first(v[:, side])

    def _predict(self, x: Tensor, step: int, schedule: NoiseSchedule) -> Tensor:
        """x (2, N, C) to x0."""
        at = torch.tensor([step], device=self._device)
        return schedule.clean(x, self.model.denoiser(x[None], at, self._alone[1])[0], step)

    def _step_noise(self, index: int) -> Tensor:
        """(2, N, C), right first; recorded left first."""
        return _tensor(self.inputs["step_noise"][index, :, 0]).flip(0).transpose(1, 2)

    def _steps(self) -> Iterator[Entry]:
        scheduler = AncestralScheduler(self.schedule)
        for step in sorted({int(match[1]) for name in self.expected if (match := re.match(r"step_t(\d+)/", name))}):
            x = self._hands("x_t", 1)[0]
            clean = self._predict(x, step, self.schedule)
            noise = self._step_noise(0).to(self._device)
            before = scheduler.step(scheduler.steps.index(step), x, clean, before=None, noise=noise)
            for side in HandSide:
                yield f"step_t{step}/{side.word}/x_prev", _channels_first(before[side : side + 1])
                yield f"step_t{step}/{side.word}/x0", _channels_first(clean[side : side + 1])

    def _runs(self) -> Iterator[Entry]:
        for count in sorted({int(match[1]) for name in self.expected if (match := re.match(r"(?:run|schedule)(\d+)/", name))}):
            schedule = NoiseSchedule.cosine(count)
            for name, ours in published_schedule(schedule).items():
                yield f"schedule{count}/{name}", ours.numpy()
            if f"run{count}/left" in self.expected:
                yield from self._run(count, schedule)

    def _run(self, count: int, schedule: NoiseSchedule) -> Iterator[Entry]:
        seen = dict[int, Tensor]()
        sampler = Sampler(lambda x, step: self._predict(x, step, schedule), AncestralScheduler(schedule))
        shape = (self.model.config.frames, self.model.config.denoiser.channels)
        found = sampler.run(_Recorded(self, count), shape, device=self._device, listening=Listening(look=seen.__setitem__))
        for step, x in seen.items():
            for side in HandSide:
                yield f"run{count}/{side.word}_after_t{step}", _channels_first(x[side : side + 1])
        for side in HandSide:
            yield f"run{count}/{side.word}", _channels_first(found[side : side + 1])
        pose = np.concatenate([_array(found[side]).astype(float) * np.pi for side in HandSide], axis=1)
        yield f"post/pose_right_left_{pose.shape[1]}", smooth(pose)
        scaled = _array(self._alone[0][0]).astype(float) * np.array(POSITION_SCALE)
        yield "post/trans_right_left_6", smooth(np.concatenate(list(scaled), axis=1))

    def _masks(self) -> Iterator[Entry]:
        for name, recorded in self.expected.items():
            if match := re.fullmatch(r"biased_mask_(\d+)_(\d+)_(\d+)_head", name):
                heads, frames, period = (int(number) for number in match.groups())
                mask = causal_bias(heads, frames, period).clamp(min=-1e9).numpy()
                yield name, mask[:, : recorded.shape[1], : recorded.shape[2]]
                for other, row in self.expected.items():
                    if found := re.fullmatch(r"biased_mask_row(\d+)", other):
                        yield other, mask[:, int(found[1]), : row.shape[1]]

    def _losses(self, train: Arrays) -> Iterator[Entry]:
        batch = len(train["t"])
        step, noise = torch.from_numpy(train["t"]).to(self._device), self._hands("x_t", batch)
        true = torch.stack([_tensor(train[f"gt_{side.word}"]) for side in HandSide], dim=1).to(self._device)
        positions, conditioning = self._condition(batch)
        clean = true[..., 4:]
        kept = self.schedule.kept.to(self._device)[step].float()[:, None, None, None]
        v = self.model.denoiser(kept.sqrt() * clean + (1 - kept).sqrt() * noise, step, conditioning)
        for side in HandSide:
            losses = position_losses(positions[:, side], true[:, side, :, 1:4], true[:, side, :, 0] == 1)
            yield f"train/{side.word}/stage1_rec_vel", np.array([float(loss) for loss in losses])
            for name in [name for name in self.expected if name.startswith(f"train/{side.word}/stage2_loss_w")]:
                loss = denoiser_loss(
                    self.schedule,
                    v[:, side],
                    clean=clean[:, side],
                    noise=noise[:, side],
                    step=step,
                    motion=float(name.rpartition("_w")[2]),
                )
                yield name, np.array([float(loss)])


class _Recorded:
    """Noise as it was recorded; both hands start from the same."""

    def __init__(self, verification: Verification, count: int) -> None:
        self._of, self._count = verification, count

    def start(self, frames: int, channels: int) -> Tensor:
        return _tensor(self._of.inputs["init_noise"]).transpose(1, 2).repeat(2, 1, 1)

    def at(self, step: int, frames: int, channels: int) -> Tensor:
        return self._of._step_noise(self._count - 1 - step)


def verify(folder: Path, device: str = "cpu") -> bool:
    """Print each entry's largest absolute error, and the largest of all last. Whether all are within `TOLERANCE`.

    `device`: as for `device.resolve`; the recorded numbers are the CPU's.
    """
    verification = Verification(folder, resolve(device).torch)
    worst, seen, good = 0.0, set[str](), True
    for name, ours in verification.entries():
        if name not in verification.expected or name in seen:
            continue
        seen.add(name)
        error = _error(ours, verification.expected[name])
        good = good and error <= TOLERANCE  # also false for what is no number
        worst = max(worst, error) if error == error else float("nan")
        print(f"{name:44} {error:.3e}{'' if error <= TOLERANCE else '  too large'}")
    missed = sorted(set(verification.expected) - seen)
    for name in missed:
        lacking = name.startswith("train/") and verification.train is None
        print(f"{name:44} not compared: {'there is no train_inputs.npz' if lacking else 'nothing of that name is known'}")
        good = good and lacking
    if not seen:
        raise PianoHandsError(
            "bad-reference", "outputs.npz holds nothing that can be compared.", "Give the folder of a recorded run."
        )
    print(f"{len(seen)} entries compared, {len(missed)} not; largest absolute error {worst:.3e} (allowed {TOLERANCE:.0e})")
    return good


def _error(ours: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    if ours.shape != expected.shape:
        return float("inf")
    return float(np.abs(ours.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))


def _tensor(values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _array(x: Tensor) -> NDArray[np.generic]:
    return x.cpu().numpy()


def _channels_first(x: Tensor) -> NDArray[np.generic]:
    return _array(x.transpose(1, 2))


def _read(path: Path) -> Arrays:
    try:
        return read_arrays(path, largest=LARGEST)
    except (OSError, ValueError) as error:
        raise PianoHandsError(
            "bad-reference", f"{path} cannot be read: {error}.", "Give a folder with inputs.npz and outputs.npz."
        ) from error
