# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of a published model, read from its tensors; what tensors cannot tell comes from args.txt and hubert_config.json."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from s2c_blender.wire.errors import PianoHandsError

from .config import CONDITIONS, ENCODER_KEYS, MODEL_FPS, DenoiserConfig, ModelConfig, PositionConfig, TransformerConfig
from .published_names import ENCODER

_STRIDES = [5, 2, 2, 2, 2, 2, 2]  # of every published HuBERT and wav2vec 2.0
_HEAD_WIDTH = 64  # of every published one


def bad_experiment(what: str, hint: str = "") -> PianoHandsError:
    return PianoHandsError("bad-checkpoint", what, hint or "Fetch the experiment again, whole, from where it was published.")


def read_sizes(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], position_settings: Mapping[str, Any], encoder: dict[str, Any] | None
) -> ModelConfig:
    """`settings`: args.txt; `position_settings`: args_posi.txt; `encoder`: hubert_config.json. Raises PianoHandsError."""
    _check_settings(settings, position_settings)
    period = int(settings.get("period", 30))
    position_period = int(position_settings.get("period", 30))
    shapes = _Shapes(tensors)
    widths = [shapes.of("model.init_conv.weight")[0]]
    for level in range(shapes.count("model.downs.")):
        widths.append(shapes.of(f"model.downs.{level}.3.weight")[0])
    return ModelConfig(
        encoder=_encoder(shapes, encoder, str(position_settings.get("wav2vec_path", ""))),
        position=PositionConfig(shapes.transformer("piano2posi.", position_period), shapes.of("piano2posi.bs_map_r.0.weight")[0]),
        denoiser=DenoiserConfig(
            widths=tuple(widths),
            transformer=shapes.transformer("model.", period),
            channels=shapes.of("model.final_conv.weight")[0],
            remapped=shapes.of("model.cond_feature_map.weight")[0] if settings.get("remap_noise", True) else None,
            guided=bool(settings.get("xyz_guide", True)),
            coordination_hidden=shapes.of("model.diff_attn.mlp.0.weight")[0],
            coordination_heads=widths[-1] // shapes.of("model.diff_attn.lambda_q_left")[0],
        ),
        condition=str(settings.get("hidden_type", "audio_f")),
        frames=round(float(settings.get("train_sec", 8)) * MODEL_FPS),
        diffusion_steps=shapes.of("betas")[0] if "betas" in tensors else int(settings.get("timesteps", 1000)),
    )


def _check_settings(settings: Mapping[str, Any], position_settings: Mapping[str, Any]) -> None:
    for told, name, known in (
        (settings, "fusion", (4,)),
        (settings, "encoder_type", ("transformer",)),
        (position_settings, "encoder_type", ("transformer",)),
        (settings, "hidden_type", CONDITIONS),
        (position_settings, "latest_layer", ("tanh",)),
    ):
        if told.get(name, known[0]) not in known:
            raise bad_experiment(
                f"This experiment was trained with {name} {told[name]!r}, which this version does not know.",
                f"It can read experiments with {name} {' or '.join(repr(value) for value in known)}.",
            )


class _Shapes:
    """Shapes by name, with a sentence for what is missing."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def of(self, name: str) -> tuple[int, ...]:
        if name not in self._tensors:
            raise bad_experiment(f"The checkpoint lacks the tensor {name}.")
        return tuple(self._tensors[name].shape)

    def has(self, name: str) -> bool:
        return name in self._tensors

    def count(self, prefix: str) -> int:
        """How many numbered parts there are after a prefix."""
        numbers = {int(match[1]) for name in self._tensors if (match := re.match(re.escape(prefix) + r"(\d+)\.", name))}
        if numbers != set(range(len(numbers))) or not numbers:
            raise bad_experiment(f"The checkpoint's parts {prefix}* are not numbered without gaps.")
        return len(numbers)

    def transformer(self, prefix: str, period: int) -> TransformerConfig:
        encoder, decoder = f"{prefix}transformer_encoder.layers.", f"{prefix}transformer_decoder.layers."
        return TransformerConfig(
            width=self.of(f"{encoder}0.norm1.weight")[0],
            layers=self.count(encoder),
            encoder_hidden=self.of(f"{encoder}0.linear1.weight")[0],
            decoder_hidden=self.of(f"{decoder}0.linear1.weight")[0],
            period=period,
        )


def _encoder(shapes: _Shapes, given: dict[str, Any] | None, path: str) -> dict[str, Any]:
    """A file beside the experiment says all; without it the topology is one of those published, told by the tensors."""
    kind = "hubert" if "hubert" in path.lower() or not path else "wav2vec2"
    if given is not None:
        return {name: value for name, value in given.items() if name in ENCODER_KEYS} | {"model_type": kind}
    convolutions = f"{ENCODER}feature_extractor.conv_layers."
    kernels = [shapes.of(f"{convolutions}{layer}.conv.weight") for layer in range(shapes.count(convolutions))]
    base = f"{ENCODER}encoder.pos_conv_embed.conv."
    length = "parametrizations.weight.original1" if shapes.has(f"{base}parametrizations.weight.original1") else "weight_v"
    hidden, grouped, taps = shapes.of(base + length)
    if len(kernels) != len(_STRIDES) or hidden % _HEAD_WIDTH:
        raise bad_experiment(
            "The audio encoder is none of the published HuBERT and wav2vec 2.0 models.",
            "Put its configuration beside the checkpoints as hubert_config.json.",
        )
    layered = shapes.has(f"{convolutions}1.layer_norm.weight")
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "num_hidden_layers": shapes.count(f"{ENCODER}encoder.layers."),
        "num_attention_heads": hidden // _HEAD_WIDTH,
        "intermediate_size": shapes.of(f"{ENCODER}encoder.layers.0.feed_forward.intermediate_dense.weight")[0],
        "conv_dim": [shape[0] for shape in kernels],
        "conv_kernel": [shape[2] for shape in kernels],
        "conv_stride": _STRIDES,
        "conv_bias": shapes.has(f"{convolutions}0.conv.bias"),
        "feat_extract_norm": "layer" if layered else "group",
        "do_stable_layer_norm": layered,  # the two go together in every published one
        "num_conv_pos_embeddings": taps,
        "num_conv_pos_embedding_groups": hidden // grouped,
        **({} if kind == "wav2vec2" else {"feat_proj_layer_norm": shapes.has(f"{ENCODER}feature_projection.layer_norm.weight")}),
    }
