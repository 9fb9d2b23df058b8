# SPDX-License-Identifier: GPL-3.0-or-later
"""S2CModel: both hands' encoders, position predictors and denoisers, over an axis of size two."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from s2c_blender.wire.hands import HandSide

from .audio_encoder import AudioEncoder
from .config import ModelConfig, Scaling
from .dual_denoiser import Conditioning, DualDenoiser
from .note_encoder import NoteEncoder
from .position import PositionPredictor


class S2CModel(nn.Module):
    """What `checkpoint.load` returns. B windows of `config.frames` frames."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = _of_both(config, lambda: _encoder(config))
        width = self.encoder(0).width
        self.positions = _of_both(config, lambda: PositionPredictor(width, config.position, config.frames))
        hidden = config.position.transformer.width
        features = {"audio_f": width, "hidden_f": hidden, "both": width + hidden}[config.condition]
        self.denoiser = DualDenoiser(features, config.denoiser, config.frames, shared=config.shared)
        self._shared = False

    def encoder(self, side: int) -> AudioEncoder:
        """Of a model that listens."""
        return cast(AudioEncoder, self.encoders[side])

    def predictor(self, side: int) -> PositionPredictor:
        return cast(PositionPredictor, self.positions[side])

    def share_convolutions(self) -> bool:
        """Let both hands use one convolution stack if theirs are equal; returns whether they are."""
        if self.config.shared:
            self._shared = not self.config.reads_notes
            return self._shared
        first, second = (self.encoder(side).convolutions.state_dict() for side in HandSide)
        self._shared = all(torch.equal(value, second[name]) for name, value in first.items())
        if self._shared:
            self.encoder(1).convolutions = self.encoder(0).convolutions
        return self._shared

    def features(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised sound (B, samples), or a roll (B, 2, N, keys), to each hand's features (B, N, F)."""
        if self.config.reads_notes:
            reader = cast(NoteEncoder, self.encoders[0])
            return reader(sound[:, HandSide.RIGHT]), reader(sound[:, HandSide.LEFT])
        convolved = self.encoder(0).convolve(sound)
        other = convolved if self._shared else self.encoder(1).convolve(sound)
        frames = self.config.frames
        return self.encoder(0).encode(convolved, frames), self.encoder(1).encode(other, frames)

    def prepare(self, sound: Tensor, *, causal: bool = False) -> tuple[Tensor, Conditioning]:
        """Normalised sound, or a roll, as for `features`, to positions (B, 2, N, 3) and the conditioning, which
        `denoiser.guide` adds them to."""
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

    def own_numbers(self, pose: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Pose and positions (B, 2, N, C) in the data's units to the model's own numbers."""
        config = self.config
        return _inner(config.pose_scaling, pose), _inner(config.position_scaling, positions)

    def in_units(self, pose: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The model's own numbers (..., 2, N, C) in the data's units: turns of pi, and `POSITION_SCALE`."""
        config = self.config
        return _outer(config.pose_scaling, pose), _outer(config.position_scaling, positions)


def _inner(scaling: Scaling | None, values: Tensor) -> Tensor:
    if scaling is None:
        return values
    return (values - values.new_tensor(scaling.middle)[:, None]) / values.new_tensor(scaling.reach)


def _outer(scaling: Scaling | None, values: Tensor) -> Tensor:
    return values if scaling is None else values.new_tensor(scaling.middle)[:, None] + values.new_tensor(scaling.reach) * values


def _encoder(config: ModelConfig) -> nn.Module:
    if config.reads_notes:
        return NoteEncoder(int(config.encoder["hidden_size"]), int(config.encoder["num_hidden_layers"]))
    return AudioEncoder(config.encoder)


def _of_both(config: ModelConfig, make: Callable[[], nn.Module]) -> nn.ModuleList:
    """One of each hand's own, or one and the same for both."""
    first = make()
    return nn.ModuleList([first, first if config.shared else make()])
