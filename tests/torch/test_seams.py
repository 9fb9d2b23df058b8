# SPDX-License-Identifier: GPL-3.0-or-later
"""Where windows join, motion is as anywhere else; with finished clips that are faded into each other it would not be."""

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from torch import Tensor  # noqa: E402

from backend.device import Device  # noqa: E402
from backend.s2c.noise import SeededNoise  # noqa: E402
from backend.s2c.sampler import Sampler  # noqa: E402
from backend.s2c.schedule import NoiseSchedule  # noqa: E402
from backend.s2c.scheduler import DPMScheduler  # noqa: E402
from backend.s2c.take import SamplingSettings, sample_take  # noqa: E402
from backend.s2c.windows import Stitch, TakeModel, WindowBatches, Windows  # noqa: E402
from s2c_blender.wire.messages import DEFAULT_STEPS  # noqa: E402
from tests.s2c_models import SMALL, random_model  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
CPU = Device(torch.device("cpu"), torch.float32)
WINDOWS = Windows.over(1500, SMALL.frames)
CHANNELS = SMALL.denoiser.channels
MEMORY = 20.0  # frames over which the smooth motion below remembers itself
NEAR = (0.9, 1.12)  # acceleration at the joints over acceleration elsewhere
SCHEDULE = NoiseSchedule.cosine(SMALL.diffusion_steps)

Denoise = Callable[[Tensor, Tensor, object], Tensor]


def smooth_motion(x: Tensor, at: Tensor, _conditioning: object) -> Tensor:
    """v of the best denoiser there is for motion of Gaussian covariance, window by window: x (B, 2, N, C).

    x0 expected of x = s x0 + n noise is s K (s^2 K + n^2)^-1 x (Wiener's filter).
    """
    signal, noisy = SCHEDULE.mix(int(at))
    frame = torch.arange(x.shape[2], dtype=torch.float64)
    covariance = 0.1 * torch.exp(-0.5 * ((frame[:, None] - frame) / MEMORY) ** 2)
    powers, waves = torch.linalg.eigh(covariance)
    powers = powers.clamp(min=1e-9)
    kept = (waves * (signal * powers / (signal**2 * powers + noisy**2))) @ waves.T
    return (signal * x - kept.float() @ x) / noisy


def roughness_at_joints(pose: np.ndarray, windows: Windows) -> float:
    """Second differences of pose (2, T, C) where windows overlap over those elsewhere, root mean square."""
    shared = np.zeros(windows.frames, int)
    for start in windows.starts:
        shared[start : start + windows.size] += 1
    acceleration, joint = np.diff(pose, n=2, axis=1), shared[1:-1] > 1
    return float(np.sqrt(np.square(acceleration[:, joint]).mean() / np.square(acceleration[:, ~joint]).mean()))


def sampled_together(seed: int) -> np.ndarray:
    batches = WindowBatches(len(WINDOWS), 8, free=lambda: None, cancelled=lambda: False, tell=lambda done, count: None)
    take = TakeModel(random_model(SMALL), WINDOWS, batches, device=CPU.torch)
    take.listen(torch.zeros(WINDOWS.frames * 16000 // 30))
    take.denoise = smooth_motion
    sampler = Sampler(take.predict, DPMScheduler(SCHEDULE, DEFAULT_STEPS))
    return sampler.run(SeededNoise(seed), (WINDOWS.frames, CHANNELS), device=CPU.torch).numpy()


def sampled_apart_and_faded(seed: int, *, one_noise: bool) -> np.ndarray:
    """The control: every window is sampled to its end, and then faded into the next."""

    class Noise(SeededNoise):
        def start(self, frames: int, channels: int) -> Tensor:
            if one_noise:
                return WINDOWS.cut(super().start(WINDOWS.frames, channels), 0, len(WINDOWS))
            return torch.stack([SeededNoise(1000 * seed + window).start(frames, channels) for window in range(len(WINDOWS))])

    def predict(x: Tensor, step: int) -> Tensor:
        return SCHEDULE.clean(x, smooth_motion(x, torch.tensor([step]), None), step)

    sampler = Sampler(predict, DPMScheduler(SCHEDULE, DEFAULT_STEPS))
    stitch = Stitch(WINDOWS, CHANNELS, CPU.torch)
    stitch.add(0, sampler.run(Noise(seed), (WINDOWS.size, CHANNELS), device=CPU.torch))
    return stitch.take().numpy()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_smooth_motion_is_as_smooth_where_windows_join(seed: int) -> None:
    assert NEAR[0] < roughness_at_joints(sampled_together(seed), WINDOWS) < NEAR[1]


@pytest.mark.parametrize("one_noise", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_finished_clips_that_are_faded_are_rougher_there(seed: int, one_noise: bool) -> None:
    assert roughness_at_joints(sampled_apart_and_faded(seed, one_noise=one_noise), WINDOWS) > NEAR[1] + 0.08


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_network_moves_alike_where_windows_join(seed: int) -> None:
    frames = 660
    sound = np.random.default_rng(seed).normal(0, 0.1, frames * 16000 // 30).astype(np.float32)
    sampled = sample_take(random_model(SMALL, seed=seed), sound, SamplingSettings(seed=seed), device=CPU)
    assert NEAR[0] < roughness_at_joints(sampled.pose, Windows.over(frames, SMALL.frames)) < NEAR[1]
