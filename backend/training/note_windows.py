# SPDX-License-Identifier: GPL-3.0-or-later
"""A split of a data set for a model that reads notes: whole in memory, because rolls and poses are small. No sound is read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import Score

from ..data.annotation import BrokenItem, read
from ..data.dataset import items_of
from ..data.layout import FPS, POSE, POSITION, Item
from ..perform.hands_split import assign_hands
from ..s2c.config import POSITION_SCALE, Scaling
from ..s2c.note_roll import MIRROR_PITCH, note_roll
from ..score import read_midi

Array = NDArray[np.float32]

_REACH = 3.5  # standard deviations of a pose that the model's [-1, 1] holds
_ROOM = 1.1  # of positions beyond the farthest in the data
_SMALLEST = 1e-3  # reach


@dataclass(frozen=True)
class Noted:
    """An item. roll (2, T, keys) as uint8 of 255; pose (2, T, 48) in units of pi, positions (2, T, 3) in units of POSITION_SCALE."""

    item: Item
    score: Score
    hands: NDArray[np.int8]
    roll: NDArray[np.uint8]
    pose: Array
    positions: Array


def load_split(root: Path, split: str, *, most: int | None = None) -> list[Noted]:
    """Its items that are whole, those without notes left out. Raises PianoHandsError('bad-data') where there are none."""
    loaded: list[Noted] = []
    for item in items_of(root, split)[:most]:
        try:
            loaded.append(_load(root, item))
        except (BrokenItem, PianoHandsError):
            continue
    if not loaded:
        raise PianoHandsError("bad-data", f"No item of {split} in {root} has poses and notes.", "Look at it by data check.")
    return loaded


def _load(root: Path, item: Item) -> Noted:
    annotation = read(item.annotation(root))
    if annotation.fps != FPS:
        raise BrokenItem(f"it has {annotation.fps:g} frames a second")
    frames, score = annotation.adjusted(), read_midi(item.midi(root))
    hands = assign_hands(score)
    roll = note_roll(score, hands, frames=frames.shape[1], begin=annotation.start)
    return Noted(
        item,
        score,
        hands,
        np.round(255.0 * roll).astype(np.uint8),
        frames[..., POSE] / np.float32(np.pi),
        frames[..., POSITION] / np.array(POSITION_SCALE, np.float32),
    )


def scalings(items: list[Noted]) -> tuple[Scaling, Scaling]:
    """Of pose and positions, the same for both hands but for where their mirrored keyboards lie."""
    pose = np.concatenate([item.pose.reshape(-1, item.pose.shape[-1]) for item in items]).astype(float)
    middle = pose.mean(0)
    reach = np.maximum(_REACH * pose.std(0), _SMALLEST)
    shift = np.array([2.0 * Keyboard().x[MIRROR_PITCH // 2 - LOWEST] / POSITION_SCALE[0], 0.0, 0.0])
    places = np.concatenate([item.positions[side] + shift * (side == HandSide.LEFT) for item in items for side in HandSide])
    low, high = places.min(0), places.max(0)
    centre, wide = (low + high) / 2, np.maximum(_ROOM * (high - low) / 2, _SMALLEST)
    return _scaling(middle, middle, reach), _scaling(centre, centre - shift, wide)


def _scaling(right: NDArray[np.floating], left: NDArray[np.floating], reach: NDArray[np.floating]) -> Scaling:
    rows = tuple(tuple(round(float(value), 6) for value in row) for row in (right, left))
    return Scaling(rows, tuple(round(float(value), 6) for value in reach))


@dataclass(frozen=True)
class Batch:
    """B windows of N frames: roll (B, 2, N, keys), pose (B, 2, N, 48) and positions (B, 2, N, 3), in the model's numbers."""

    roll: Tensor
    pose: Tensor
    positions: Tensor


class NoteWindows:
    """Windows drawn evenly from all frames of the items that are long enough."""

    def __init__(self, items: list[Noted], frames: int, pose: Scaling, position: Scaling) -> None:
        self._frames = frames
        long = [item for item in items if item.pose.shape[1] > frames]
        self._parts = [
            (item.roll, pose.inner(item.pose).astype(np.float32), position.inner(item.positions).astype(np.float32)) for item in long
        ]
        self._ends = np.cumsum([item.pose.shape[1] - frames for item in long])

    def draw(self, random: np.random.Generator, count: int) -> Batch:
        rolls, poses, places = [], [], []
        for at in random.integers(self._ends[-1], size=count):
            index = int(np.searchsorted(self._ends, at, side="right"))
            first = int(at - (self._ends[index - 1] if index else 0))
            roll, pose, place = (values[:, first : first + self._frames] for values in self._parts[index])
            rolls.append(roll)
            poses.append(pose)
            places.append(place)
        roll = torch.from_numpy(np.stack(rolls)).float() / 255.0
        return Batch(roll, torch.from_numpy(np.stack(poses)), torch.from_numpy(np.stack(places)))
