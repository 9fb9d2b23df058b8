# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of windows. What is in the batch of a step follows from seed and step alone, so that a run goes on where it stopped."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..data.cache import Cache
from ..data.dataset import Cut, Window
from ..data.layout import COLUMNS, POSE, POSITION, VISIBLE, Item
from ..s2c.config import POSITION_SCALE
from .conditioning import HeardWindow

_SCALE = np.ones(COLUMNS, np.float32)
_SCALE[POSITION] = POSITION_SCALE
_SCALE[POSE] = np.pi


class Batch(NamedTuple):
    """heard: what the encoder takes, B windows of it; motion: (B, 2, N, 52) in the model's units, both hands as right ones."""

    heard: Tensor
    motion: Tensor

    @property
    def visible(self) -> Tensor:
        """(B, 2, N) bool. Where a film has another rate the flag is blended: such a frame counts as unseen."""
        return self.motion[..., VISIBLE] == 1

    @property
    def positions(self) -> Tensor:
        """(B, 2, N, 3) in units of `POSITION_SCALE`."""
        return self.motion[..., POSITION]

    @property
    def pose(self) -> Tensor:
        """(B, 2, N, 48) in units of pi."""
        return self.motion[..., POSE]

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(value.to(device, non_blocking=True) for value in self))

    @staticmethod
    def of(windows: Sequence[Window], heard: HeardWindow) -> "Batch":
        sounds = np.stack([heard.cut(window) for window in windows])
        motion = np.stack([window.frames / _SCALE for window in windows])
        return Batch(torch.from_numpy(sounds), torch.from_numpy(motion))


class Draw(NamedTuple):
    """An item by its number, and in which epoch."""

    item: int
    epoch: int


@dataclass(frozen=True)
class Plan:
    """Which items are in each step's batch: epoch after epoch, each in an order of its own."""

    items: int
    batch: int
    seed: int

    def draws(self, step: int) -> list[Draw]:
        places = range(step * self.batch, (step + 1) * self.batch)
        orders = {place // self.items for place in places}
        order = {epoch: self._order(epoch) for epoch in orders}
        return [Draw(order[place // self.items][place % self.items], place // self.items) for place in places]

    def _order(self, epoch: int) -> list[int]:
        order = list(range(self.items))
        random.Random(f"{self.seed} {epoch}").shuffle(order)
        return order


class _Steps(Sampler[list[Draw]]):
    """This process' share of each step's batch."""

    def __init__(self, plan: Plan, first: int, last: int, share: slice) -> None:
        self._plan, self._range, self._share = plan, range(first, last), share

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in self._range:
            yield self._plan.draws(step)[self._share]

    def __len__(self) -> int:
        return len(self._range)


class DrawnWindows(Dataset[Window]):
    """A random window of the item drawn."""

    def __init__(self, cache: Cache, items: Sequence[Item], cut: Cut, seed: int) -> None:
        self._cache, self._items, self._cut, self._seed = cache, tuple(items), cut, seed

    def __getitem__(self, draw: Draw) -> Window:
        chance = random.Random(f"{self._seed} {draw.epoch} {draw.item}")
        return self._cut.drawn(self._cache.load(self._items[draw.item]), chance)

    def __len__(self) -> int:
        return len(self._items)


class _Collate:
    """A class and no closure: it is sent to other processes."""

    def __init__(self, heard: HeardWindow) -> None:
        self._heard = heard

    def __call__(self, windows: list[Window]) -> Batch:
        return Batch.of(windows, self._heard)


def batches(
    windows: DrawnWindows, plan: Plan, heard: HeardWindow, *, steps: range, share: slice, workers: int
) -> "DataLoader[Window]":
    """One batch a step; `share` is this process' part of each, `workers` the processes that cut."""
    return DataLoader(
        windows,
        batch_sampler=_Steps(plan, steps.start, steps.stop, share),
        collate_fn=_Collate(heard),
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=False,
    )
