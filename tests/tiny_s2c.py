# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete S2C checkpoint with few numbers, all of them by chance. Needs torch."""

import json
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch import nn

from backend.s2c.checkpoint import CONFIG, FORMAT, digest, hand_parts
from backend.s2c.config import DenoiserConfig, ModelConfig, PositionConfig, TransformerConfig
from backend.s2c.model import S2CModel
from s2c_blender.wire.hands import HandSide

WINDOW = 64  # frames
TINY = ModelConfig(
    encoder={
        "model_type": "hubert",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "conv_dim": [8] * 7,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    },
    position=PositionConfig(TransformerConfig(16, 1, 16, 16), hidden=16),
    denoiser=DenoiserConfig((16, 16, 32), TransformerConfig(16, 1, 16, 16), remapped=16, coordination_hidden=32),
    frames=WINDOW,
)
_SPREAD, _PLACE = (0.05, 0.02, 0.0005), (0.05, 0.0, 0.0)  # of the positions' last layer: x, y, z


def checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Write the folder as import-checkpoint does; another seed, other numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = S2CModel(TINY)
    for side in HandSide:
        head = cast(nn.Linear, model.predictor(side).head[-1])  # wrists stay about the keys
        head.load_state_dict({"weight": head.weight * torch.tensor(_SPREAD)[:, None], "bias": torch.tensor(_PLACE)})
    folder.mkdir(parents=True, exist_ok=True)
    sums = dict[str, str]()
    for side in HandSide:
        path = folder / f"{side.word}.safetensors"
        parts = hand_parts(model, side)
        tensors = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
        save_file({name: value.half().contiguous() for name, value in tensors.items()}, path)
        sums[path.name] = digest(path)
    content = {"format": FORMAT, "model": TINY.to_json(), "sha256": sums, "about": {}}
    (folder / CONFIG).write_text(json.dumps(content), encoding="utf-8")
    return folder
