# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete S2C checkpoint with few and random numbers, and recordings for it. torch is imported by what makes the checkpoint."""

import hashlib
import json
import wave
from pathlib import Path
from typing import cast

import numpy as np

WINDOW = 64  # frames
ENCODER = {
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
}
_SPREAD, _PLACE = (0.05, 0.02, 0.0005), (0.05, 0.0, 0.0)  # of the positions' last layer: x, y, z


def checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Write the folder as import-checkpoint would; another seed, other numbers."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    from backend.s2c.checkpoint import hand_parts
    from backend.s2c.config import DenoiserConfig, ModelConfig, PositionConfig, TransformerConfig
    from backend.s2c.model import S2CModel
    from s2c_blender.wire.hands import HandSide

    config = ModelConfig(
        encoder=ENCODER,
        position=PositionConfig(TransformerConfig(16, 1, 16, 16), hidden=16),
        denoiser=DenoiserConfig((16, 16, 32), TransformerConfig(16, 1, 16, 16), remapped=16, coordination_hidden=32),
        frames=WINDOW,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = S2CModel(config)
    for side in HandSide:
        head = cast(nn.Linear, model.predictor(side).head[-1])  # wrists stay about the keys
        head.load_state_dict({"weight": head.weight * torch.tensor(_SPREAD)[:, None], "bias": torch.tensor(_PLACE)})
    folder.mkdir(parents=True, exist_ok=True)
    sums = {}
    for side in HandSide:
        parts = hand_parts(model, side)
        tensors = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
        path = folder / f"{side.word}.safetensors"
        save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)
        sums[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    content = {"format": 1, "model": config.to_json(), "sha256": sums}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def recording(path: Path, *, seconds: float = 5.0, rate: int = 22050) -> Path:
    """Notes of a plucked kind, one every half second, in stereo."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 220.0 * 2.0 ** (np.floor(2 * time) % 12 / 12)
    sound = 9000 * np.exp(-6.0 * (time % 0.5)) * np.sin(2 * np.pi * pitch * time)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(sound.astype("<i2"), 2).tobytes())
    return path
