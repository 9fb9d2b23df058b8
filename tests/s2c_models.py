# SPDX-License-Identifier: GPL-3.0-or-later
"""S2C models with random numbers: small ones for tests, and one of the published size for measurements. Needs torch."""

import hashlib
import math
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from backend.s2c.checkpoint import build, hand_parts, skeleton
from backend.s2c.config import DenoiserConfig, ModelConfig, PositionConfig, TransformerConfig
from backend.s2c.model import S2CModel
from s2c_blender.wire.hands import HandSide

#: As transformers' configuration of facebook/hubert-large-ls960-ft has it, and the sizes of S2C's training commands.
PUBLISHED = ModelConfig(
    encoder={
        "model_type": "hubert",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "conv_dim": [512] * 7,
        "conv_bias": True,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "num_conv_pos_embeddings": 128,
        "num_conv_pos_embedding_groups": 16,
    },
    position=PositionConfig(TransformerConfig(width=512, layers=4, encoder_hidden=2048, decoder_hidden=512)),
    denoiser=DenoiserConfig(
        widths=(256, 256, 512, 1024, 2048),
        transformer=TransformerConfig(width=1024, layers=4, encoder_hidden=2048, decoder_hidden=1024),
        remapped=1024,
    ),
)

_SMALL = TransformerConfig(width=16, layers=1, encoder_hidden=32, decoder_hidden=16)

#: The same topology, with 0.3 million numbers a hand.
SMALL = ModelConfig(
    encoder=PUBLISHED.encoder
    | {
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 32,
        "conv_dim": [8] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    },
    position=PositionConfig(_SMALL, hidden=16),
    denoiser=DenoiserConfig(
        widths=(8, 8, 16, 16, 32),
        transformer=TransformerConfig(64, 1, 32, 16),
        remapped=16,
        coordination_heads=2,
        coordination_hidden=64,
    ),
)


def random_model(config: ModelConfig, *, seed: int = 0, alike: bool = False, apart: bool = False) -> S2CModel:
    """Signals keep about their size from layer to layer. The hands have one convolution stack, as the published ones do.

    `alike`: one and the same memory holds the numbers of both hands. `apart`: each has convolutions of its own.
    """
    shapes = {
        f"{part}.{name}": tuple(value.shape)
        for part, module in hand_parts(skeleton(config), HandSide.RIGHT).items()
        for name, value in module.state_dict().items()
    }

    def draw(side: int, name: str) -> Tensor:
        digest = hashlib.sha256(f"{seed} {side} {name}".encode()).digest()
        return _draw(name, shapes[name], torch.Generator().manual_seed(int.from_bytes(digest[:7], "little")))

    common = cache(draw)

    def read(side: HandSide, name: str) -> Tensor:
        return common(0, name) if alike or (".convolutions." in name and not apart) else draw(side, name)

    return build(config, read)


def _draw(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if len(shape) > 1:
        reach = math.sqrt(3 / math.prod(shape[1:]))
        return torch.empty(shape).uniform_(-reach, reach, generator=generator)
    level = 1.0 if name.endswith((".gain", "norm.weight")) or "_norm.weight" in name or "layer_norm.weight" in name else 0.0
    return torch.empty(shape).uniform_(-0.1, 0.1, generator=generator) + level


def with_encoder(config: ModelConfig, **encoder: object) -> ModelConfig:
    """The same sizes, with another audio encoder."""
    return replace(config, encoder=config.encoder | encoder)
