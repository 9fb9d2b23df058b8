# SPDX-License-Identifier: GPL-3.0-or-later
"""S2CModel: both hands' encoders, position predictors and denoisers, over an axis of size two."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from s2c_blender.wire.hands import HandSide

from .audio_encoder import AudioEncoder
from .config import ModelConfig
from .dual_denoiser import Conditioning, DualDenoiser
from .position import PositionPredictor


class S2CModel(nn.Module):
    """What `checkpoint.load` returns. B windows of `config.frames` frames."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleList(AudioEncoder(config.encoder) for _ in HandSide)
        width = self.encoder(0).width
        self.positions = nn.ModuleList(PositionPredictor(width, config.position, config.frames) for _ in HandSide)
        hidden = config.position.transformer.width
        features = {"audio_f": width, "hidden_f": hidden, "both": width + hidden}[config.condition]
        self.denoiser = DualDenoiser(features, config.denoiser, config.frames)
        self._shared = False

    def encoder(self, side: int) -> AudioEncoder:
        return cast(AudioEncoder, self.encoders[side])

    def predictor(self, side: int) -> PositionPredictor:
        return cast(PositionPredictor, self.positions[side])

    def share_convolutions(self) -> bool:
        """Let both hands use one convolution stack if theirs are equal; returns whether they are."""
        first, second = (self.encoder(side).convolutions.state_dict() for side in HandSide)
        self._shared = all(torch.equal(value, second[name]) for name, value in first.items())
        if self._shared:
            self.encoder(1).convolutions = self.encoder(0).convolutions
        return self._shared

    def features(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised sound (B, samples) to each hand's features (B, N, F)."""
        convolved = self.encoder(0).convolve(sound)
        other = convolved if self._shared else self.encoder(1).convolve(sound)
        frames = self.config.frames
        return self.encoder(0).encode(convolved, frames), self.encoder(1).encode(other, frames)

    def prepare(self, sound: Tensor, *, causal: bool = False) -> tuple[Tensor, Conditioning]:
        """Normalised sound (B, samples) to positions (B, 2, N, 3) and the conditioning, to which `denoiser.guide` adds them."""
        positions, conditions = self.place(self.features(sound), causal=causal)
        return positions, self.denoiser.prepare(conditions, causal=causal)

    def place(self, features: Sequence[Tensor], *, causal: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Features (B, N, F) of each hand to positions (B, 2, N, 3), and what conditions each hand's denoiser."""
        positions, conditions = list[Tensor](), list[Tensor]()
        for side, heard in enumerate(features):
            position, hidden = self.predictor(side)(heard, causal=causal)
            positions.append(position)
            chosen = {"audio_f": (heard,), "hidden_f": (hidden,), "both": (heard, hidden)}[self.config.condition]
            conditions.append(torch.cat(chosen, dim=-1))
        return torch.stack(positions, dim=1), conditions
