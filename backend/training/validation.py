# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is judged by while it goes on: errors of positions, and in stage two motion that is sampled and compared."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2c_blender.wire.hands import HandSide

from ..data.annotation import BrokenItem
from ..data.cache import Cache
from ..data.dataset import Cut, Window
from ..data.layout import Item
from ..evaluation import measures
from ..evaluation.sampling import sample_windows
from ..s2c.config import POSITION_SCALE
from ..s2c.losses import position_losses
from ..s2c.model import S2CModel
from .batches import Batch
from .conditioning import HeardWindow
from .config import Stage

_AT_ONCE = 16  # windows


def first_windows(cache: Cache, items: Sequence[Item], cut: Cut) -> Iterator[Window]:
    """The first window of each item that has one."""
    for item in items:
        with suppress(BrokenItem):
            yield cut.first(cache.load(item))


@dataclass(frozen=True)
class Validation:
    """`windows`: first windows of the validation split; `steps`: of the sampler."""

    windows: Sequence[Window]
    heard: HeardWindow
    steps: int
    seed: int

    @torch.inference_mode()
    def run(self, model: S2CModel, stage: Stage, device: torch.device) -> dict[str, float]:
        """Means over windows; `score` is what is to be small."""
        if not self.windows:
            return {}
        found = list[dict[str, float]]()
        for first in range(0, len(self.windows), _AT_ONCE):
            batch = Batch.of(self.windows[first : first + _AT_ONCE], self.heard).to(device)
            features = batch.heard.unbind(1) if self.heard.ready else model.features(batch.heard)
            if stage is Stage.POSITION:
                found += _positions(model, batch, features)
            else:
                seeds = [self.seed + first + index for index in range(len(batch.motion))]
                made = sample_windows(model, features, seeds, steps=self.steps)
                found += _motion(batch.to(torch.device("cpu")), made.pose, made.positions)
        return {name: float(np.nanmean([one[name] for one in found])) for name in found[0]}


def _positions(model: S2CModel, batch: Batch, features: Sequence[Tensor]) -> list[dict[str, float]]:
    predicted, _ = model.place(features)
    found = list[dict[str, float]]()
    for window, true, seen in zip(predicted.float(), batch.positions, batch.visible, strict=True):
        position, velocity = (float(loss) for loss in position_losses(window, true, seen))
        found.append({"position": position, "velocity": velocity, "score": position + velocity})
    return found


def _motion(batch: Batch, pose: Tensor, positions: Tensor) -> list[dict[str, float]]:
    """Of both hands together; `score` is the Frechet distance."""
    scale, found = np.array(POSITION_SCALE), list[dict[str, float]]()
    real, made = (value.numpy() * np.pi for value in (batch.pose, pose))
    for index in range(len(pose)):
        hands = [
            {
                "fid": measures.fid(real[index, side], made[index, side]),
                "distance": measures.distance(
                    batch.positions[index, side].numpy() * scale,
                    positions[index, side].numpy() * scale,
                    batch.visible[index, side].numpy(),
                ),
                "smoothness": measures.smoothness(real[index, side], made[index, side]),
            }
            for side in HandSide
        ]
        means = {name: float(np.mean([hand[name] for hand in hands])) for name in hands[0]}
        found.append(means | {"score": means["fid"]})
    return found
