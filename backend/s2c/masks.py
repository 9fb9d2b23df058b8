# SPDX-License-Identifier: GPL-3.0-or-later
"""The causal bias that the published scripts use when there is one window in the batch."""

import torch
from torch import Tensor


def slopes(heads: int) -> Tensor:
    """(heads,) how fast each head forgets: 2^(-8 h / heads) (Press et al. 2022, "Train short, test long", section 3)."""
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1, dtype=torch.float32, device="cpu") / heads)


def causal_bias(heads: int, frames: int, period: int) -> Tensor:
    """(heads, frames, frames), added to logits: -inf for the future, -slope * floor(distance / period) for the past."""
    frame = torch.arange(frames, device="cpu")
    distance = frame[:, None] - frame[None, :]
    bias = -slopes(heads)[:, None, None] * torch.div(distance, period, rounding_mode="floor")
    return bias.masked_fill(distance < 0, float("-inf"))
