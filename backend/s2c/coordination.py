# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand-coordinated asymmetric attention (HCAA): what one hand's bottleneck takes from the other's."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BASE_SHARE = 0.1  # of the other hand, before what is learned


class Stream(nn.Module):
    """One hand's attention within itself, over the past: (B, N, C) to (B, heads, N, C / heads); and its part of the share."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.share_query = nn.Parameter(torch.empty(width // heads).normal_(std=0.1))
        self.share_key = nn.Parameter(torch.empty(width // heads).normal_(std=0.1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)

    def share(self) -> Tensor:
        return torch.exp(torch.sum(self.share_query.float() * self.share_key.float()))


class Coordination(nn.Module):
    """Own and other bottleneck (B, N, C) to (B, N, C): own attention minus a learned share of the other's.

    After differential attention (Ye et al. 2024, "Differential Transformer"); as published it replaces its input.
    """

    def __init__(self, width: int, *, heads: int, hidden: int) -> None:
        super().__init__()
        self.own = Stream(width, heads)
        self.other = Stream(width, heads)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, width, bias=False)
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        share = (self.own.share() - self.other.share() + BASE_SHARE).to(own.dtype)
        mixed = self.own(own) - share * self.other(other)
        x = self.project(self.norm(mixed.transpose(1, 2).flatten(2)))
        return self.outer(F.relu(self.inner(x)))
