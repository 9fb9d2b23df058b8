# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes experiments in the published S2C layout with random numbers, of any size. Needs torch."""

import argparse
import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backend.s2c.config import ModelConfig, TransformerConfig
from backend.s2c.published_names import ENCODER
from s2c_blender.wire.hands import HandSide

Shapes = dict[str, tuple[int, ...]]

_SCHEDULE = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "loss_weight",
)


def published_shapes(config: ModelConfig) -> Shapes:
    """Every tensor of one hand's checkpoint, under its published name."""
    return dict(_all(config))


def write_experiment(folder: Path, config: ModelConfig, *, seed: int = 0) -> Path:
    """args files and one .ckpt a hand."""
    folder.mkdir(parents=True)
    settings = {"timesteps": config.diffusion_steps, "hidden_type": config.condition, "remap_noise": True, "xyz_guide": True}
    settings |= {"fusion": 4, "encoder_type": "transformer", "train_sec": config.frames / 30}
    kind = config.encoder["model_type"]
    position = {"wav2vec_path": f"./checkpoints/{kind}-any", "encoder_type": "transformer", "latest_layer": "tanh"}
    for name, values in (("args.txt", settings), ("args_posi.txt", position)):
        (folder / name).write_text(json.dumps(values, indent=2), encoding="utf-8")
    for side in HandSide:
        tensors = random_tensors(config, seed=10 * seed + side)
        content = {"state_dict": tensors, "hyper_parameters": argparse.Namespace(**settings)}
        torch.save(content, folder / f"piano2pose-{side.word}-iter=1000-val_loss=0.5.ckpt")
    return folder


def random_tensors(config: ModelConfig, *, seed: int) -> dict[str, Tensor]:
    """Signals keep about their size from layer to layer. The audio encoder's convolutions do not depend on the seed."""
    own, common = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(0)
    return {
        name: _draw(name, shape, common if ".feature_extractor." in name else own)
        for name, shape in published_shapes(config).items()
    }


def _draw(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name.endswith("original0"):
        return torch.empty(shape).uniform_(0.5, 1.5, generator=generator)
    if len(shape) > 1 and not name.endswith(".g"):
        reach = math.sqrt(3 / math.prod(shape[1:]))
        return torch.empty(shape).uniform_(-reach, reach, generator=generator)
    level = 1.0 if name.endswith((".g", "norm.weight", "norm1.weight", "norm2.weight", "norm3.weight", "subln.weight")) else 0.0
    return torch.empty(shape).uniform_(-0.1, 0.1, generator=generator) + level


def _all(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in _SCHEDULE:
        yield name, (config.diffusion_steps,)
    yield from _denoiser(config)
    yield from _encoder(config.encoder)
    inner, hidden = config.position.transformer, config.position.hidden
    yield from _linear("piano2posi.audio_feature_map_cont", int(config.encoder["hidden_size"]), inner.width)
    yield from _linear("piano2posi.pos_feature_map", 6, 512)
    yield from _transformer("piano2posi.", inner)
    yield from _linear("piano2posi.bs_map_r.0", inner.width, hidden)
    yield from _linear("piano2posi.bs_map_r.1", hidden, 3)


def _encoder(values: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model

    values = dict(values)
    kind = values.pop("model_type")
    with torch.device("meta"):
        model = HubertModel(HubertConfig(**values)) if kind == "hubert" else Wav2Vec2Model(Wav2Vec2Config(**values))
    for name, tensor in model.state_dict().items():
        yield f"{ENCODER}{name}", tuple(tensor.shape)
    yield from _linear(f"{ENCODER}lm_head", int(values["hidden_size"]), 32)


def _denoiser(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    sizes = config.denoiser
    widths, base, remapped = sizes.widths, sizes.widths[0], sizes.remapped or 0
    time, last, bottom = 4 * base, len(widths) - 2, widths[-1]
    inner = sizes.attention_heads * sizes.attention_width
    features = int(config.encoder["hidden_size"])
    yield from _linear("model.cond_feature_map", sizes.channels, remapped)
    yield from _convolution("model.init_conv", features + remapped + 6, base, 7)
    yield from _linear("model.time_mlp.1", base, time)
    yield from _linear("model.time_mlp.3", time, time)
    for level, (narrow, wide) in enumerate(pairwise(widths)):
        place = f"model.downs.{level}."
        for block in (0, 1):
            yield from _block(f"{place}{block}", narrow, narrow, time)
        yield from _attention(f"{place}2", narrow, inner, linear=True)
        yield from _convolution(f"{place}3", narrow, wide, 3 if level == last else 4)
    for level, (narrow, wide) in enumerate(reversed(list(pairwise(widths)))):
        place = f"model.ups.{level}."
        for block in (0, 1):
            yield from _block(f"{place}{block}", narrow + wide, wide, time)
        yield from _attention(f"{place}2", wide, inner, linear=True)
        yield from _convolution(f"{place}3" if level == last else f"{place}3.1", wide, narrow, 3)
    for name in ("model.mid_block1", "model.mid_block2"):
        yield from _block(name, bottom, bottom, time)
    yield from _attention("model.mid_attn", bottom, inner, linear=False)
    yield from _coordination(bottom, bottom // sizes.coordination_heads, sizes.coordination_hidden)
    yield from _block("model.final_res_block", 2 * base, base, time)
    yield from _convolution("model.final_conv", base, sizes.channels, 1)
    yield from _transformer("model.", sizes.transformer)


def _coordination(width: int, head: int, hidden: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for side in ("left", "right"):
        for part in ("q", "k"):
            yield f"model.diff_attn.lambda_{part}_{side}", (head,)
        for part in ("q", "k", "v"):
            yield f"model.diff_attn.{part}_proj_{side}.weight", (width, width)
    yield "model.diff_attn.out_proj.weight", (width, width)
    yield from _norm("model.diff_attn.subln", width)
    yield from _attention_weights("model.cross_attn.cross_attn", width)
    yield from _norm("model.cross_attn.norm", width)
    for name in ("model.diff_attn.mlp", "model.cross_attn.mlp"):
        yield from _linear(f"{name}.0", width, hidden)
        yield from _linear(f"{name}.2", hidden, width)


def _transformer(prefix: str, config: TransformerConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    for kind, hidden in (("encoder", config.encoder_hidden), ("decoder", config.decoder_hidden)):
        for layer in range(config.layers):
            place = f"{prefix}transformer_{kind}.layers.{layer}."
            attentions = ("self_attn",) if kind == "encoder" else ("self_attn", "multihead_attn")
            for name in attentions:
                yield from _attention_weights(f"{place}{name}", config.width)
            yield from _linear(f"{place}linear1", config.width, hidden)
            yield from _linear(f"{place}linear2", hidden, config.width)
            for norm in range(1, len(attentions) + 2):
                yield from _norm(f"{place}norm{norm}", config.width)


def _block(name: str, incoming: int, outgoing: int, time: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _linear(f"{name}.mlp.1", time, 2 * outgoing)
    for part, width in (("block1", incoming), ("block2", outgoing)):
        yield from _convolution(f"{name}.{part}.proj", width, outgoing, 3)
        yield from _norm(f"{name}.{part}.norm", outgoing)
    if incoming != outgoing:
        yield from _convolution(f"{name}.res_conv", incoming, outgoing, 1)


def _attention(name: str, width: int, inner: int, *, linear: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.fn.norm.g", (1, width, 1)
    yield f"{name}.fn.fn.to_qkv.weight", (3 * inner, width, 1)
    yield from _convolution(f"{name}.fn.fn.to_out.0" if linear else f"{name}.fn.fn.to_out", inner, width, 1)
    if linear:
        yield f"{name}.fn.fn.to_out.1.g", (1, width, 1)


def _attention_weights(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.in_proj_weight", (3 * width, width)
    yield f"{name}.in_proj_bias", (3 * width,)
    yield from _linear(f"{name}.out_proj", width, width)


def _convolution(name: str, incoming: int, outgoing: int, kernel: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outgoing, incoming, kernel)
    yield f"{name}.bias", (outgoing,)


def _linear(name: str, incoming: int, outgoing: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outgoing, incoming)
    yield f"{name}.bias", (outgoing,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)
