# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the U-Net, on sequences (B, N, C): frames before channels, so that a convolution is one matrix product.

A product of unrolled frames is several times faster than a library's convolution where channels are many and frames are few
(2048 channels, 30 frames, two cores: 9 ms for 77), and as fast elsewhere.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """(B, N, C) to (B, ceil(N / stride), O). `weight` (O, kernel * C): the taps of a frame follow each other."""

    def __init__(self, incoming: int, outgoing: int, kernel: int, *, stride: int = 1, padding: int | None = None) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.padding = kernel // 2 if padding is None else padding
        self.weight = nn.Parameter(torch.empty(outgoing, kernel * incoming))
        self.bias = nn.Parameter(torch.empty(outgoing))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.uniform_(self.bias, -1 / math.sqrt(kernel * incoming), 1 / math.sqrt(kernel * incoming))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(unroll(x, self.kernel, stride=self.stride, padding=self.padding), self.weight, self.bias)


def unroll(x: Tensor, kernel: int, *, stride: int = 1, padding: int = 0) -> Tensor:
    """(B, N, C) to (B, M, kernel * C): beside each frame those that a convolution reads there."""
    if kernel == 1 and stride == 1 and not padding:
        return x
    padded = F.pad(x, (0, 0, padding, padding))
    count = (padded.shape[1] - kernel) // stride + 1
    taps = [padded[:, tap : tap + stride * (count - 1) + 1 : stride] for tap in range(kernel)]
    return torch.cat(taps, dim=-1)


class GroupNorm(nn.Module):
    """Group normalisation (Wu & He 2018) of (B, N, C); the statistics are in single precision."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        picture = x.transpose(1, 2).unsqueeze(2)  # (B, C, 1, N), whose channels lie together in memory: nothing is copied
        return F.group_norm(picture, self.groups, self.weight, self.bias).squeeze(2).transpose(1, 2)


class ChannelNorm(nn.Module):
    """Root mean square normalisation over channels (Zhang & Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1) * self.gain * x.shape[-1] ** 0.5


class ModulatedBlock(nn.Module):
    """Convolution, normalisation, scale and shift, SiLU."""

    def __init__(self, incoming: int, outgoing: int, groups: int) -> None:
        super().__init__()
        self.convolution = Convolution(incoming, outgoing, 3)
        self.norm = GroupNorm(groups, outgoing)

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        x = self.norm(self.convolution(x))
        if modulation is not None:
            scale, shift = modulation
            x = torch.addcmul(shift, x, scale + 1)
        return F.silu(x)


class ResidualBlock(nn.Module):
    """Two blocks beside a shortcut; the time embedding (B, T) scales and shifts the first."""

    def __init__(self, incoming: int, outgoing: int, *, time: int, groups: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(time, 2 * outgoing)
        self.first = ModulatedBlock(incoming, outgoing, groups)
        self.second = ModulatedBlock(outgoing, outgoing, groups)
        self.shortcut = Convolution(incoming, outgoing, 1) if incoming != outgoing else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.modulation(F.silu(time))[:, None].chunk(2, dim=-1)
        return self.second(self.first(x, (scale, shift))) + self.shortcut(x)


class _Attention(nn.Module):
    """What both kinds share: normalised, projected to heads, and back to the width."""

    def __init__(self, width: int, *, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(width)
        self.project = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, N, C) to query, key and value (B, heads, N, head_width)."""
        query, key, value = self.project(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return query, key, value

    def join(self, mixed: Tensor) -> Tensor:
        """(B, heads, N, head_width) to (B, N, C)."""
        return self.out(mixed.transpose(1, 2).flatten(2))


class LinearAttention(_Attention):
    """x plus attention in time linear in N (Katharopoulos et al. 2020, with softmax as the feature map)."""

    def __init__(self, width: int, *, heads: int, head_width: int) -> None:
        super().__init__(width, heads=heads, head_width=head_width)
        self.out_norm = ChannelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.split(x)
        query = query.softmax(-1) * query.shape[-1] ** -0.5
        key = key.softmax(-2)  # over frames
        return x + self.out_norm(self.join(query @ (key.transpose(-1, -2) @ value)))


class FullAttention(_Attention):
    """x plus ordinary attention over frames."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.join(F.scaled_dot_product_attention(*self.split(x)))


class TimeEmbedding(nn.Module):
    """Diffusion steps (B,) to (B, 4 W): sines and cosines of W/2 frequencies (Vaswani et al. 2017), then two linear maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.waves = width // 2
        self.inner = nn.Linear(width, 4 * width)
        self.outer = nn.Linear(4 * width, 4 * width)

    def forward(self, step: Tensor) -> Tensor:
        # In single precision, whatever the model's: an angle of 999 to three digits would be any angle.
        place = torch.arange(self.waves, dtype=torch.float32, device=step.device)
        angle = step.float()[:, None] * torch.exp(place * (-math.log(10000.0) / (self.waves - 1)))
        seen = torch.cat([angle.sin(), angle.cos()], dim=-1).to(self.inner.weight.dtype)
        return self.outer(F.gelu(self.inner(seen)))
