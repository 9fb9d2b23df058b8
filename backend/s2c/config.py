# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of an S2C model: read from its tensors or from our config.json, never assumed. No torch."""

from dataclasses import asdict, dataclass, fields
from typing import Any

POSE_CHANNELS = 48  # a rotation vector in units of pi for each of MANO's 16 joints
POSITION_CHANNELS = 3
MODEL_FPS = 30.0
SAMPLE_RATE = 16000
DEFAULT_STEPS = 16  # the fewest of DPM-Solver++ within a degree rms of 1000 steps of DDIM: tests/bench/bench_samplers.py


@dataclass(frozen=True)
class TransformerConfig:
    """An encoder and a decoder of the same width. Published: 4 layers, 4 heads, feed-forward 2048 and `width`."""

    width: int
    layers: int
    encoder_hidden: int
    decoder_hidden: int
    heads: int = 4
    period: int = 30  # frames over which the causal bias is level


@dataclass(frozen=True)
class PositionConfig:
    """Audio features to wrist positions. `hidden`: width of the head's middle."""

    transformer: TransformerConfig
    hidden: int = 128


@dataclass(frozen=True)
class DenoiserConfig:
    """One hand's U-Net. `widths`: channels before the first level and after each (published: 256, 256, 512, 1024, 2048)."""

    widths: tuple[int, ...]
    transformer: TransformerConfig
    channels: int = POSE_CHANNELS
    remapped: int | None = None  # width to which x is mapped before the first convolution; None: not mapped
    guided: bool = True  # whether both hands' positions are part of the condition
    groups: int = 8
    attention_heads: int = 4
    attention_width: int = 32  # of each head
    coordination_heads: int = 8
    coordination_hidden: int = 4096

    @property
    def shrinking(self) -> int:
        """Frames must be a multiple of this: every level but the last halves them."""
        return 2 ** (len(self.widths) - 2)


@dataclass(frozen=True)
class ModelConfig:
    """Both hands have the same sizes. `encoder`: arguments of a transformers configuration, with its `model_type`."""

    encoder: dict[str, Any]
    position: PositionConfig
    denoiser: DenoiserConfig
    condition: str = "audio_f"  # what conditions the denoiser: "audio_f", "hidden_f" or "both"
    frames: int = 240  # of one window
    diffusion_steps: int = 1000

    @property
    def samples(self) -> int:
        """Audio samples of one window."""
        return round(self.frames / MODEL_FPS * SAMPLE_RATE)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "ModelConfig":
        """Raises KeyError, TypeError or ValueError for what is no such configuration."""
        return _build(ModelConfig, values)


_NESTED = {"position": PositionConfig, "denoiser": DenoiserConfig, "transformer": TransformerConfig}


def _build(kind: type, values: dict[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    if not isinstance(values, dict) or set(values) - known:
        raise ValueError(f"{kind.__name__} has the keys {', '.join(sorted(known))}")
    made = {
        name: _build(_NESTED[name], value) if name in _NESTED else tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "encoder"
    }
    return kind(**made, **({"encoder": dict(values["encoder"])} if "encoder" in values else {}))
