# SPDX-License-Identifier: GPL-3.0-or-later
"""One hand's U-Net, in two halves: the other hand is heard between them."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Convolution, FullAttention, LinearAttention, ResidualBlock, TimeEmbedding, unroll
from .config import POSITION_CHANNELS, DenoiserConfig
from .coordination import Coordination
from .transformer import EncoderDecoder


@dataclass(frozen=True)
class HandCondition:
    """What does not change from step to step, folded into the first convolution.

    constant: (B, N, W) what condition, positions and biases give; kernel: (W, taps * channels) that x alone meets.
    """

    constant: Tensor
    kernel: Tensor


@dataclass(frozen=True)
class Descent:
    """Half-way through: bottleneck (B, N / 8, C), the levels' outputs, the first convolution's, and the time embedding."""

    bottleneck: Tensor
    skips: tuple[Tensor, ...]
    start: Tensor
    time: Tensor


class Level(nn.Module):
    """Two residual blocks, linear attention, and a change of rate."""

    def __init__(self, widths: tuple[int, int, int], config: DenoiserConfig, rate: nn.Module) -> None:
        super().__init__()
        incoming, inner, time = widths
        self.first = ResidualBlock(incoming, inner, time=time, groups=config.groups)
        self.second = ResidualBlock(incoming, inner, time=time, groups=config.groups)
        self.attention = LinearAttention(inner, heads=config.attention_heads, head_width=config.attention_width)
        self.rate = rate


class Doubling(nn.Module):
    """Each frame twice, then a convolution: (B, N, C) to (B, 2 N, O)."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.convolution = Convolution(incoming, outgoing, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x.repeat_interleave(2, dim=1))


_ONCE = ("condition", "remap", "entry")  # parts of a hand's denoiser that only what is computed once a take goes through


class HandDenoiser(nn.Module):
    """Predicts v of one hand: `prepare` and `guide`, then for every step `descend`, `coordination` and `ascend`."""

    def __init__(self, features: int, config: DenoiserConfig, frames: int) -> None:
        super().__init__()
        widths, base = config.widths, config.widths[0]
        time, last = 4 * base, len(widths) - 2
        self.condition = EncoderDecoder(config.transformer, frames)
        self.remap = nn.Linear(config.channels, config.remapped) if config.remapped else None
        incoming = features + (config.remapped or config.channels) + (2 * POSITION_CHANNELS if config.guided else 0)
        self.entry = Convolution(incoming, base, 7)
        self.time = TimeEmbedding(base)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            Level(
                (narrow, narrow, time),
                config,
                Convolution(narrow, wide, 3) if level == last else Convolution(narrow, wide, 4, stride=2, padding=1),
            )
            for level, (narrow, wide) in enumerate(pairs)
        )
        bottom = widths[-1]
        self.middle_first = ResidualBlock(bottom, bottom, time=time, groups=config.groups)
        self.middle_attention = FullAttention(bottom, heads=config.attention_heads, head_width=config.attention_width)
        self.middle_second = ResidualBlock(bottom, bottom, time=time, groups=config.groups)
        self.coordination = Coordination(bottom, heads=config.coordination_heads, hidden=config.coordination_hidden)
        self.up = nn.ModuleList(
            Level(
                (narrow + wide, wide, time),
                config,
                Convolution(wide, narrow, 3) if level == last else Doubling(wide, narrow),
            )
            for level, (narrow, wide) in enumerate(reversed(pairs))
        )
        self.exit_block = ResidualBlock(2 * base, base, time=time, groups=config.groups)
        self.exit = Convolution(base, config.channels, 1)
        self._config = config

    def set_precision(self, every: torch.dtype, *, once: torch.dtype) -> None:
        """`every`: of what is computed anew at every step; `once`: of what is computed once a take."""
        for name, part in self.named_children():
            part.to(once if name in _ONCE else every)

    def prepare(self, features: Tensor, *, causal: bool) -> HandCondition:
        """Features (B, N, F) to what every step needs, but for the positions, which `guide` adds."""
        return self.fold(self.condition(features, causal=causal))

    def fold(self, condition: Tensor) -> HandCondition:
        """The constant part of the first convolution, and what is left for x.

        The map of x before it is linear, so the two are one; its bias is not seen beyond the borders, so it is constant's part.
        """
        batch, frames, width = condition.shape
        channels = self.remap.out_features if self.remap else self._config.channels
        zero = self.remap.bias if self.remap else condition.new_zeros(channels)
        parts = [condition, zero.expand(batch, frames, -1)]
        if self._config.guided:
            parts.append(condition.new_zeros(batch, frames, 2 * POSITION_CHANNELS))
        taps = self.entry.weight.unflatten(1, (self.entry.kernel, -1))[:, :, width : width + channels]
        taps = taps @ self.remap.weight if self.remap else taps
        return HandCondition(self.entry(torch.cat(parts, dim=-1)), taps.flatten(1))

    def guide(self, condition: HandCondition, positions: Tensor) -> HandCondition:
        """Add positions (B, N, 6; own hand first) to a condition made without."""
        precision = self.exit.weight.dtype
        if not self._config.guided:
            return HandCondition(condition.constant.to(precision), condition.kernel.to(precision))
        taps = self.entry.weight.unflatten(1, (self.entry.kernel, -1))[:, :, -2 * POSITION_CHANNELS :].flatten(1)
        seen = F.linear(unroll(positions.to(taps.dtype), self.entry.kernel, padding=self.entry.padding), taps)
        return HandCondition((condition.constant + seen).to(precision), condition.kernel.to(precision))

    def descend(self, x: Tensor, step: Tensor, condition: HandCondition) -> Descent:
        """x (B, N, channels) at diffusion steps (B,) or (1,)."""
        start = condition.constant + F.linear(unroll(x, self.entry.kernel, padding=self.entry.padding), condition.kernel)
        time = self.time(step)
        x, skips = start, list[Tensor]()
        for level in self.down:
            x = level.first(x, time)
            skips.append(x)
            x = level.attention(level.second(x, time))
            skips.append(x)
            x = level.rate(x)
        x = self.middle_second(self.middle_attention(self.middle_first(x, time)), time)
        return Descent(x, tuple(skips), start, time)

    def ascend(self, fused: Tensor, descent: Descent) -> Tensor:
        """The coordinated bottleneck to v (B, N, channels)."""
        x, skips, time = fused, list(descent.skips), descent.time
        for level in self.up:
            x = level.first(torch.cat([x, skips.pop()], dim=-1), time)
            x = level.attention(level.second(torch.cat([x, skips.pop()], dim=-1), time))
            x = level.rate(x)
        return self.exit(self.exit_block(torch.cat([x, descent.start], dim=-1), time))
