# SPDX-License-Identifier: GPL-3.0-or-later
"""HuBERT or wav2vec 2.0 by the transformers library: sound to features at the model's frame rate."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize


class AudioEncoder(nn.Module):
    """Normalised sound (B, samples) at 16 kHz to features (B, N, `width`). Always in evaluation mode, as S2C was trained."""

    def __init__(self, config: dict[str, Any]) -> None:
        """`config`: arguments of transformers' HubertConfig or Wav2Vec2Config, by `model_type`. Raises ValueError."""
        super().__init__()
        from huggingface_hub.errors import StrictDataclassError
        from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model

        values = {name: value for name, value in config.items() if name != "model_type"}
        # Masking belongs to training an encoder from nothing; without it there is no vector for it.
        values |= {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "attn_implementation": "sdpa"}
        kind, made_by = (Wav2Vec2Model, Wav2Vec2Config) if config.get("model_type") == "wav2vec2" else (HubertModel, HubertConfig)
        try:
            model = kind(made_by(**values))
        except StrictDataclassError as error:
            raise ValueError(str(error)) from error
        self.convolutions = model.feature_extractor
        self.projection = model.feature_projection
        self.encoder = model.encoder
        # Weight normalisation only splits a weight in two; the loader joins them.
        parametrize.remove_parametrizations(self.encoder.pos_conv_embed.conv, "weight")
        self.width = int(model.config.hidden_size)
        self.eval()

    def train(self, mode: bool = True) -> "AudioEncoder":
        return super().train(False)

    def convolve(self, sound: Tensor) -> Tensor:
        """(B, samples) to (B, channels, about 50 a second)."""
        return self.convolutions(sound.to(next(self.convolutions.parameters()).dtype))

    def encode(self, convolved: Tensor, frames: int) -> Tensor:
        """What `convolve` gave to features (B, frames, width): first to the frame rate, then through the transformer."""
        timed = F.interpolate(convolved.float(), size=frames, mode="linear", align_corners=True).to(convolved.dtype)
        projected = self.projection(timed.transpose(1, 2))
        hidden = projected[0] if isinstance(projected, tuple) else projected  # wav2vec 2.0 gives two
        return self.encoder(hidden).last_hidden_state


@dataclass(frozen=True)
class Loudness:
    """Mean and spread of sound."""

    mean: float = 0.0
    spread: float = 1.0

    @staticmethod
    def of(sound: Tensor) -> "Loudness":
        """Of all that is given: population variance, with 1e-7 against silence."""
        variance, mean = torch.var_mean(sound, correction=0)
        return Loudness(float(mean), math.sqrt(float(variance) + 1e-7))

    def normalise(self, sound: Tensor) -> Tensor:
        """To mean 0 and variance 1."""
        return (sound - self.mean) / self.spread


def normalise(sound: Tensor) -> Tensor:
    """To mean 0 and variance 1 over all that is given."""
    return Loudness.of(sound).normalise(sound)
