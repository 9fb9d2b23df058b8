# SPDX-License-Identifier: GPL-3.0-or-later
"""The gesture autoencoder whose features FGD compares: the published network, its published weights or our own training of it.

Sizes and names of tensors are the published ones (PianoMotion10M; after Yoon et al. 2020, "Speech gesture generation from the
trimodal context"), so that its file can be loaded. Poses are (B, N, 96) radians, the right hand's first.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from s2c_blender.wire.errors import PianoHandsError, write_failed

from ..s2c.reference_checkpoint import inert_tensors, read_torch

FEATURES = 256
CHANNELS = 96
FRAMES = 240
_LEAK = 0.2
_LONGEST = 9_000  # frames


def _block(incoming: int, outgoing: int, *, halves: bool = False) -> nn.Sequential:
    convolution = nn.Conv1d(incoming, outgoing, 4, stride=2) if halves else nn.Conv1d(incoming, outgoing, 3)
    return nn.Sequential(convolution, nn.BatchNorm1d(outgoing), nn.LeakyReLU(_LEAK))


class PoseEncoder(nn.Module):
    """(B, N, C) to features (B, 256). Between its dense layers nothing bends: published with a slope of one, and so trained."""

    def __init__(self, frames: int, channels: int) -> None:
        super().__init__()
        left = 32 * ((frames - 4 - 4) // 2 + 1 - 2)
        self.net = nn.Sequential(_block(channels, 32), _block(32, 64), _block(64, 64, halves=True), nn.Conv1d(64, 32, 3))
        self.out_net = nn.Sequential(
            nn.Linear(left, 512),
            nn.BatchNorm1d(512),
            nn.Identity(),
            nn.Linear(512, FEATURES),
            nn.BatchNorm1d(FEATURES),
            nn.Identity(),
            nn.Linear(FEATURES, FEATURES),
        )
        self.fc_mu = nn.Linear(FEATURES, FEATURES)
        self.fc_logvar = nn.Linear(FEATURES, FEATURES)  # in the published file; features are means

    def forward(self, poses: Tensor) -> Tensor:
        return self.fc_mu(self.out_net(self.net(poses.transpose(1, 2)).flatten(1)))


class PoseDecoder(nn.Module):
    """Features (B, 256) to poses (B, N, C)."""

    def __init__(self, frames: int, channels: int) -> None:
        super().__init__()
        self.pre_net = nn.Sequential(nn.Linear(FEATURES, 128), nn.BatchNorm1d(128), nn.Identity(), nn.Linear(128, 4 * frames))
        self.net = nn.Sequential(
            nn.ConvTranspose1d(4, 32, 3),
            nn.BatchNorm1d(32),
            nn.LeakyReLU(_LEAK),
            nn.ConvTranspose1d(32, 32, 3),
            nn.BatchNorm1d(32),
            nn.LeakyReLU(_LEAK),
            nn.Conv1d(32, 32, 3),
            nn.Conv1d(32, channels, 3),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.net(self.pre_net(features).unflatten(1, (4, -1))).transpose(1, 2)


class GestureAutoencoder(nn.Module):
    """`frames`: of every clip it is given."""

    def __init__(self, frames: int = FRAMES, channels: int = CHANNELS) -> None:
        super().__init__()
        self.frames, self.channels = frames, channels
        self.pose_encoder = PoseEncoder(frames, channels)
        self.decoder = PoseDecoder(frames, channels)

    def forward(self, poses: Tensor) -> Tensor:
        """Poses made again from their features."""
        return self.decoder(self.pose_encoder(poses))

    @torch.inference_mode()
    def features(self, poses: NDArray[np.floating]) -> NDArray[np.floating]:
        """(clips, N, C) to (clips, 256)."""
        self.eval()
        parts = torch.from_numpy(np.asarray(poses, np.float32)).split(64)
        return torch.cat([self.pose_encoder(part) for part in parts]).double().numpy()


def load(path: Path) -> GestureAutoencoder:
    """Our file (.safetensors) or the published one (.bin). Raises PianoHandsError('bad-checkpoint')."""
    try:
        frames, channels, tensors = _ours(path) if path.suffix == ".safetensors" else _published(path)
        if not (16 <= frames <= _LONGEST and frames % 2 == 0 and 1 <= channels <= _LONGEST):
            raise ValueError(f"{frames} frames of {channels} numbers")
        made = GestureAutoencoder(frames, channels)
        made.load_state_dict(tensors)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise PianoHandsError(
            "bad-checkpoint",
            f"{path} is no gesture autoencoder: {type(error).__name__}: {str(error)[:200]}",
            "Give the published gesture_autoencoder_checkpoint_best.bin, or what `train autoencoder` wrote.",
        ) from error
    return made.eval().requires_grad_(False)


def _ours(path: Path) -> tuple[int, int, dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["autoencoder"])
        return int(about["frames"]), int(about["channels"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _published(path: Path) -> tuple[int, int, dict[str, Tensor]]:
    """Tensors and numbers alone are unpickled: nothing in the file is run."""
    values = read_torch(path)
    if not isinstance(values, dict):
        raise ValueError("it holds no dict")
    counters = {name: value for name, value in values["gen_dict"].items() if name.endswith("num_batches_tracked")}
    weights = {name: value for name, value in values["gen_dict"].items() if name not in counters}
    return FRAMES, int(values["pose_dim"]), inert_tensors(path, weights) | counters


def save(model: GestureAutoencoder, path: Path) -> None:
    """Raises PianoHandsError('write-failed')."""
    about = json.dumps({"frames": model.frames, "channels": model.channels})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path, metadata={"autoencoder": about})
    except OSError as error:
        raise write_failed(path, error) from error


def fit(
    clips: NDArray[np.floating],
    *,
    steps: int,
    seed: int,
    batch: int = 64,
    tell: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> GestureAutoencoder:
    """Train on poses (clips, N, C): to make each again, its changes too (Yoon et al.). Adam, 5e-4.

    `tell(done, total, loss)` hears of each step.
    """
    if len(clips) < 2:
        raise PianoHandsError("bad-data", "An autoencoder is not trained on less than two clips.", "Give more of the data set.")
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # layers' own initialisation takes no generator
    poses = torch.from_numpy(np.asarray(clips, np.float32))
    model = GestureAutoencoder(poses.shape[1], poses.shape[2]).train()
    model.pose_encoder.fc_logvar.requires_grad_(False)
    optimiser = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], lr=5e-4)
    for step, chosen in enumerate(_chosen(len(poses), min(batch, len(poses)), generator, steps)):
        some = poses[chosen]
        again = model(some)
        loss = (again - some).abs().mean() + (again.diff(dim=1) - some.diff(dim=1)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        tell(step + 1, steps, float(loss.detach()))
    return model.eval().requires_grad_(False)


def _chosen(count: int, batch: int, generator: torch.Generator, steps: int) -> Iterator[Tensor]:
    for _ in range(steps):
        yield torch.randperm(count, generator=generator)[:batch]
