# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion made for the windows of a split, several times over with other seeds, against what was recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide

from ..data.dataset import Window
from ..data.layout import POSE, POSITION, VISIBLE
from ..s2c.config import POSITION_SCALE
from ..s2c.model import S2CModel
from ..s2c.scheduler import SamplerKind
from ..training.batches import Batch
from ..training.conditioning import HeardWindow
from . import measures, mixtures, published
from .autoencoder import GestureAutoencoder
from .sampling import sample_windows

Array = NDArray[np.floating]
Values = dict[str, list[float]]  # each measure's value for every window

BOTH = "both"


@dataclass(frozen=True)
class Motions:
    """Of W windows, both hands as right ones: pose (W, 2, N, 48) radians, positions (W, 2, N, 3) metres."""

    pose: Array
    positions: Array

    @staticmethod
    def recorded(windows: Sequence[Window]) -> "Motions":
        frames = np.stack([window.frames for window in windows])
        return Motions(frames[..., POSE], frames[..., POSITION])


#: A seed to motion for all windows.
Maker = Callable[[int], Motions]


@dataclass(frozen=True)
class Generated:
    """The maker that asks a model. `at_once`: windows."""

    model: S2CModel
    windows: Sequence[Window]
    heard: HeardWindow
    steps: int
    sampler: SamplerKind = SamplerKind.DPM
    at_once: int = 16
    tell: Callable[[int, int], None] = lambda done, total: None

    @torch.inference_mode()
    def __call__(self, seed: int) -> Motions:
        device = next(self.model.parameters()).device
        poses, positions = list[Array](), list[Array]()
        for first in range(0, len(self.windows), self.at_once):
            self.tell(first, len(self.windows))
            some = self.windows[first : first + self.at_once]
            batch = Batch.of(some, self.heard).to(device)
            features = batch.heard.unbind(1) if self.heard.ready else self.model.features(batch.heard)
            # Each window has noise of its own, and it has another one with every seed.
            seeds = [1_000_003 * seed + first + index for index in range(len(some))]
            made = sample_windows(self.model, features, seeds, steps=self.steps, sampler=self.sampler)
            poses.append(made.pose.numpy() * np.pi)
            positions.append(made.positions.numpy() * np.array(POSITION_SCALE))
        return Motions(np.concatenate(poses), np.concatenate(positions))


def mean_pose(frames: Sequence[NDArray[np.float32]], like: Motions) -> Maker:
    """The maker that always gives the mean pose and place of recorded frames, each (2, N, 52): what there is to beat."""
    mean = np.concatenate(frames, axis=1).mean(axis=1, dtype=float)

    pose, place = (
        np.broadcast_to(mean[None, :, None, columns], shape).astype(np.float32)
        for columns, shape in ((POSE, like.pose.shape), (POSITION, like.positions.shape))
    )
    return given(Motions(pose, place))


def given(motions: Motions) -> Maker:
    """The maker that has it already, whatever the seed."""

    def make(seed: int) -> Motions:
        return motions

    return make


@dataclass(frozen=True)
class Evaluator:
    """`autoencoder`: for FGD; without one it is left out."""

    windows: Sequence[Window]
    autoencoder: GestureAutoencoder | None = None

    def measure(self, make: Maker, seeds: Sequence[int]) -> dict[str, Any]:
        """Both columns: for each hand, and for what is of both, each measure's mean over seeds and its spread.

        Raises PianoHandsError('bad-data') for fewer windows or seeds than one.
        """
        if not self.windows or not seeds:
            raise PianoHandsError("bad-data", "There is nothing to evaluate.", "Give a split with whole windows, and a seed.")
        real = Motions.recorded(self.windows)
        runs = [self._run(real, make(seed)) for seed in seeds]
        return {column: _summary([run[column] for run in runs]) for column in ("published", "corrected")}

    def _run(self, real: Motions, made: Motions) -> dict[str, dict[str, dict[str, float]]]:
        columns = dict[str, dict[str, dict[str, float]]](published={}, corrected={})
        for side in HandSide:
            found = [self._window(real, made, index, side) for index in range(len(self.windows))]
            for column in columns:
                columns[column][side.word] = _means([window[column] for window in found])
        for column, values in self._both(real, made).items():
            columns[column][BOTH] = values
        return columns

    def _window(self, real: Motions, made: Motions, index: int, side: HandSide) -> dict[str, dict[str, float]]:
        pose, other = real.pose[index, side], made.pose[index, side]
        place, other_place = real.positions[index, side], made.positions[index, side]
        visible = self.windows[index].frames[side, :, VISIBLE] == 1
        return {
            "published": {
                "fid": published.fid(pose, other),
                "wgd": published.wgd(pose, other),
                "distance": published.distance(place, other_place),
                "smoothness": published.smoothness(pose, other),
            },
            "corrected": {
                "fid": measures.fid(pose, other),
                "wgd": mixtures.wgd(pose, other),
                "distance": measures.distance(place, other_place, visible),
                "smoothness": measures.smoothness(pose, other),
            },
        }

    def _both(self, real: Motions, made: Motions) -> dict[str, dict[str, float]]:
        """FGD is of both hands, the right one's numbers first, and needs clips enough for a covariance."""
        if self.autoencoder is None or len(self.windows) < 2:
            return {}
        features, others = (
            self.autoencoder.features(motions.pose.transpose(0, 2, 1, 3).reshape(len(motions.pose), motions.pose.shape[2], -1))
            for motions in (real, made)
        )
        return {
            "published": {
                "fgd": published.fgd(features, others),
                "feature_distance": published.feature_distance(features, others),
            },
            "corrected": {"fgd": measures.frechet(measures.gaussian(features), measures.gaussian(others))},
        }


def _means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Over windows; those where a measure makes no sense are left out."""
    means = dict[str, float]()
    for name in found[0]:
        values = np.array([one[name] for one in found])
        values = values[np.isfinite(values)]
        means[name] = float(values.mean()) if len(values) else float("nan")
    return means


def _summary(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Mean and standard deviation over runs; None for what is no number, which JSON has not."""
    summary = dict[str, dict[str, dict[str, float | None]]]()
    for hand, names in runs[0].items():
        summary[hand] = {}
        for name in names:
            values = np.array([run[hand][name] for run in runs])
            spread = float(values.std(ddof=1)) if len(values) > 1 else None
            mean = float(values.mean())
            summary[hand][name] = {"mean": mean if np.isfinite(mean) else None, "spread": spread if np.isfinite(mean) else None}
    return summary
