# SPDX-License-Identifier: GPL-3.0-or-later
"""Both hands' U-Nets over an axis of size two, which meet at the bottleneck."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from s2c_blender.wire.hands import HandSide

from .config import DenoiserConfig
from .denoiser import HandCondition, HandDenoiser


@dataclass(frozen=True)
class Conditioning:
    """For each hand, in the order of `HandSide`, what does not change from step to step. B windows."""

    hands: tuple[HandCondition, HandCondition]

    def take(self, first: int, last: int) -> "Conditioning":
        """Windows `first` to `last`."""
        right, left = (HandCondition(hand.constant[first:last], hand.kernel) for hand in self.hands)
        return Conditioning((right, left))

    @staticmethod
    def join(parts: Sequence["Conditioning"]) -> "Conditioning":
        """The windows of all parts, one after the other."""
        right, left = (
            HandCondition(torch.cat([part.hands[side].constant for part in parts]), parts[0].hands[side].kernel)
            for side in HandSide
        )
        return Conditioning((right, left))


class DualDenoiser(nn.Module):
    """x (B, 2, N, channels), diffusion steps (B,) or (1,), and the conditioning, to v (B, 2, N, channels)."""

    def __init__(self, features: int, config: DenoiserConfig, frames: int, *, shared: bool = False) -> None:
        """`shared`: both hands are one network, of which each sees itself as its own."""
        super().__init__()
        first = HandDenoiser(features, config, frames)
        self.hands = nn.ModuleList([first, first if shared else HandDenoiser(features, config, frames)])
        self._shared = shared

    def hand(self, side: int) -> HandDenoiser:
        return cast(HandDenoiser, self.hands[side])

    def prepare(self, features: Sequence[Tensor], *, causal: bool = False) -> Conditioning:
        """Features (B, N, F) of each hand to the conditioning, but for the positions."""
        right, left = (self.hand(side).prepare(features[side], causal=causal) for side in HandSide)
        return Conditioning((right, left))

    def guide(self, conditioning: Conditioning, positions: Tensor) -> Conditioning:
        """Add positions (B, 2, N, 3) of both hands; each hand reads its own first."""
        right, left = (
            self.hand(side).guide(conditioning.hands[side], torch.cat([positions[:, side], positions[:, 1 - side]], dim=-1))
            for side in HandSide
        )
        return Conditioning((right, left))

    def forward(self, x: Tensor, step: Tensor, conditioning: Conditioning) -> Tensor:
        return self._at_once(x, step, conditioning) if self._shared else self._apart(x, step, conditioning)

    def _at_once(self, x: Tensor, step: Tensor, conditioning: Conditioning) -> Tensor:
        """One network sees both hands as one batch, the right ones first: half as many operations, each twice as large."""
        hand, (right, left) = self.hand(0), conditioning.hands
        steps = step.repeat(2) if len(step) > 1 else step
        both = HandCondition(torch.cat([right.constant, left.constant]), right.kernel)
        down = hand.descend(x.transpose(0, 1).flatten(0, 1), steps, both)
        fused = hand.coordination(down.bottleneck, down.bottleneck.roll(len(x), dims=0))
        return hand.ascend(fused, down).unflatten(0, (2, -1)).transpose(0, 1)

    def _apart(self, x: Tensor, step: Tensor, conditioning: Conditioning) -> Tensor:
        down = [self.hand(side).descend(x[:, side], step, conditioning.hands[side]) for side in HandSide]
        up = list[Tensor]()
        for side in HandSide:
            hand = self.hand(side)
            fused = hand.coordination(down[side].bottleneck, down[1 - side].bottleneck)
            up.append(hand.ascend(fused, down[side]))
        return torch.stack(up, dim=1)
