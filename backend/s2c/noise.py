# SPDX-License-Identifier: GPL-3.0-or-later
"""Where noise comes from: a generator of its own for each hand and step, so that nothing drawn elsewhere changes a take."""

import hashlib
from typing import Protocol

import torch
from torch import Tensor

from s2c_blender.wire.hands import HandSide


class NoiseSource(Protocol):
    """Noise of both hands (2, T, channels), on the CPU."""

    def start(self, frames: int, channels: int) -> Tensor: ...

    def at(self, step: int, frames: int, channels: int) -> Tensor: ...


class SeededNoise:
    """Frames are drawn one after the other: a longer take begins with the same noise. The same on every device."""

    def __init__(self, seed: int, *, same_start: bool = False) -> None:
        self._seed, self._same_start = seed, same_start

    def start(self, frames: int, channels: int) -> Tensor:
        sides = [HandSide.LEFT, HandSide.LEFT] if self._same_start else list(HandSide)
        return torch.stack([self._draw("start", side, frames, channels) for side in sides])

    def at(self, step: int, frames: int, channels: int) -> Tensor:
        return torch.stack([self._draw(str(step), side, frames, channels) for side in HandSide])

    def _draw(self, what: str, side: HandSide, frames: int, channels: int) -> Tensor:
        digest = hashlib.sha256(f"{self._seed} {side.word} {what}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
        return torch.randn(frames, channels, generator=generator)
