# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint of ours with few numbers, all of them by chance. Needs torch."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from backend.s2c.checkpoint import CONFIG, FORMAT, digest, hand_parts
from backend.s2c.config import DenoiserConfig, ModelConfig, PositionConfig, TransformerConfig
from backend.s2c.model import S2CModel
from s2c_blender.wire.hands import HandSide

TINY = ModelConfig(
    encoder={
        "model_type": "hubert",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "conv_dim": [8] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    },
    position=PositionConfig(TransformerConfig(16, 1, 16, 16), hidden=16),
    denoiser=DenoiserConfig((8, 8, 16), TransformerConfig(16, 1, 16, 16), coordination_heads=2, coordination_hidden=16),
    frames=60,
)


def write_checkpoint(folder: Path) -> None:
    """Into an empty folder, as import-checkpoint writes it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = S2CModel(TINY)
    sums = dict[str, str]()
    for side in HandSide:
        path = folder / f"{side.word}.safetensors"
        parts = hand_parts(model, side)
        tensors = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
        save_file({name: value.half().contiguous() for name, value in tensors.items()}, path)
        sums[path.name] = digest(path)
    content = {"format": FORMAT, "model": TINY.to_json(), "sha256": sums, "about": {}}
    (folder / CONFIG).write_text(json.dumps(content), encoding="utf-8")
