# SPDX-License-Identifier: GPL-3.0-or-later
"""From audio features to where the wrist is, for one hand."""

import torch
from torch import Tensor, nn

from .config import POSITION_CHANNELS, PositionConfig
from .transformer import EncoderDecoder


class PositionPredictor(nn.Module):
    """Features (B, N, F) to positions (B, N, 3) in (-1, 1), of `config.POSITION_SCALE`, and the projected features (B, N, D)."""

    def __init__(self, features: int, config: PositionConfig, frames: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, config.transformer.width)
        self.transformer = EncoderDecoder(config.transformer, frames)
        self.head = nn.Sequential(nn.Linear(config.transformer.width, config.hidden), nn.Linear(config.hidden, POSITION_CHANNELS))

    def forward(self, features: Tensor, *, causal: bool = False) -> tuple[Tensor, Tensor]:
        projected = self.project(features)
        return torch.tanh(self.head(self.transformer(projected, causal=causal))), projected
