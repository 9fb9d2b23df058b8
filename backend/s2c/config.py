# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of an S2C model: read from its tensors or from our config.json, never assumed. No torch.

Every size has bounds far beyond any published model, so that a file made to do harm cannot ask for endless work or memory; one
outside them raises ValueError.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

POSE_CHANNELS = 48  # a rotation vector in units of pi for each of MANO's 16 joints
POSITION_CHANNELS = 3
POSITION_SCALE = (1.5, 1.5, 25.0)  # metres of MANO translation in the camera's frame (x, y, z) for a position of one
CONDITIONS = ("audio_f", "hidden_f", "both")  # the encoder's features, the position predictor's projection of them, or both
MODEL_FPS = 30.0
SAMPLE_RATE = 16000

_WIDTH, _LAYERS, _HEADS = 65_536, 64, 64  # the largest of each
_FRAMES, _STEPS = 9_000, 10_000  # five minutes in one window; steps of diffusion
_FARTHEST = 1000.0  # of what a scaling reaches to
NOTES = "notes"  # the `model_type` of what reads notes
_FEWEST_FRAMES = 60  # two seconds: windows overlap by one

_CONVOLUTIONS = ("conv_dim", "conv_kernel", "conv_stride")
_ENCODER_KINDS: dict[str, type] = {
    **dict.fromkeys(("model_type", "hidden_act", "feat_extract_norm", "feat_extract_activation"), str),
    **dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"), int),
    **dict.fromkeys(("num_conv_pos_embeddings", "num_conv_pos_embedding_groups"), int),
    **dict.fromkeys(("conv_bias", "feat_proj_layer_norm", "do_stable_layer_norm"), bool),
    **dict.fromkeys(_CONVOLUTIONS, list),
    "layer_norm_eps": float,
}
#: What of a transformers configuration says how an audio encoder is built; all else is about training or other heads.
ENCODER_KEYS = frozenset(_ENCODER_KINDS)


@dataclass(frozen=True)
class TransformerConfig:
    """An encoder and a decoder of the same width. Published: 4 layers, 4 heads, feed-forward 2048 and `width`."""

    width: int
    layers: int
    encoder_hidden: int
    decoder_hidden: int
    heads: int = 4
    period: int = 30  # frames over which the causal bias is level

    def __post_init__(self) -> None:
        _within(_WIDTH, width=self.width, encoder_hidden=self.encoder_hidden, decoder_hidden=self.decoder_hidden)
        _within(_LAYERS, layers=self.layers)
        _within(_HEADS, heads=self.heads)
        _within(_FRAMES, period=self.period)


@dataclass(frozen=True)
class PositionConfig:
    """Audio features to wrist positions. `hidden`: width of the head's middle."""

    transformer: TransformerConfig
    hidden: int = 128

    def __post_init__(self) -> None:
        _within(_WIDTH, hidden=self.hidden)


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

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 10:
            raise ValueError(f"{len(self.widths)} widths of the denoiser")
        for width in (*self.widths, 1 if self.remapped is None else self.remapped):
            _within(_WIDTH, width=width)
        _within(_WIDTH, channels=self.channels, groups=self.groups, coordination_hidden=self.coordination_hidden)
        _within(_HEADS, attention_heads=self.attention_heads, coordination_heads=self.coordination_heads)
        _within(_WIDTH, attention_width=self.attention_width)
        if any(width % self.groups for width in self.widths):
            raise ValueError(f"widths {self.widths} that {self.groups} groups do not divide")

    @property
    def shrinking(self) -> int:
        """Frames must be a multiple of this: every level but the last halves them."""
        return 2 ** (len(self.widths) - 2)


@dataclass(frozen=True)
class Scaling:
    """The model's numbers to the data's: middle + reach * number. middle: (2, C) of each hand; reach: (C,)."""

    middle: tuple[tuple[float, ...], ...]
    reach: tuple[float, ...]

    def __post_init__(self) -> None:
        width = len(self.reach)
        if len(self.middle) != 2 or any(len(row) != width for row in self.middle):
            raise ValueError("a scaling whose middles do not fit its reaches")
        if not all(
            isinstance(value, int | float) and abs(value) < _FARTHEST for row in (*self.middle, self.reach) for value in row
        ):
            raise ValueError("a scaling by what is no number")
        if min(self.reach, default=1.0) <= 0:
            raise ValueError("a scaling by nothing")


@dataclass(frozen=True)
class ModelConfig:
    """Both hands have the same sizes. `encoder`: arguments of a transformers configuration, with its `model_type`; or of a
    NoteEncoder, with the type "notes". `shared`: one network for both hands, the left one in the mirror. The published data is in
    the model's numbers already; other data says how to scale it.
    """

    encoder: dict[str, Any]
    position: PositionConfig
    denoiser: DenoiserConfig
    condition: str = "audio_f"  # what conditions the denoiser, one of `CONDITIONS`
    frames: int = 240  # of one window
    diffusion_steps: int = 1000
    shared: bool = False
    pose_scaling: Scaling | None = None
    position_scaling: Scaling | None = None
    temperature: float = 1.0  # of the noise that a take is sampled from

    def __post_init__(self) -> None:
        if self.condition not in CONDITIONS:
            raise ValueError(f"the condition {self.condition!r}")
        _within(_FRAMES, frames=self.frames)
        if self.frames < _FEWEST_FRAMES or self.frames % self.denoiser.shrinking:
            raise ValueError(f"windows of {self.frames} frames, which are too few or not a multiple of {self.denoiser.shrinking}")
        _within(_STEPS, diffusion_steps=self.diffusion_steps)
        if type(self.shared) is not bool or (self.reads_notes and not self.shared):
            raise ValueError("a model of notes that is not shared by the hands")
        for scaling, width in ((self.pose_scaling, self.denoiser.channels), (self.position_scaling, POSITION_CHANNELS)):
            if scaling is not None and len(scaling.reach) != width:
                raise ValueError("a scaling of another width")
        if type(self.temperature) is not float or not 0.0 < self.temperature <= 1.0:
            raise ValueError(f"a temperature of {str(self.temperature)[:40]}")
        _check_encoder(self.encoder)

    @property
    def reads_notes(self) -> bool:
        """Instead of listening."""
        return self.encoder.get("model_type") == NOTES

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


def _within(largest: int, **sizes: object) -> None:
    for name, size in sizes.items():
        if type(size) is not int or not 1 <= size <= largest:
            raise ValueError(f"a {name} of {str(size)[:40]}")


def _check_encoder(values: dict[str, Any]) -> None:
    for name, value in values.items():
        kind = _ENCODER_KINDS.get(name)
        if kind is None:
            raise ValueError(f"the audio encoder's setting {name}")
        if type(value) is not kind or value != value:  # the latter: no number
            raise ValueError(f"an audio encoder's {name} of {str(value)[:40]}")
        if kind is int:
            _within(_LAYERS if name == "num_hidden_layers" else _WIDTH, **{name: value})
    stacks = [values[name] for name in _CONVOLUTIONS if name in values]
    if len({len(stack) for stack in stacks}) > 1 or any(len(stack) > _LAYERS for stack in stacks):
        raise ValueError("convolutions of the audio encoder that do not fit together")
    for size in (size for stack in stacks for size in stack):
        _within(_WIDTH, convolution=size)


_NESTED = {
    "position": PositionConfig,
    "denoiser": DenoiserConfig,
    "transformer": TransformerConfig,
    "pose_scaling": Scaling,
    "position_scaling": Scaling,
}


def _build(kind: type, values: dict[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    if not isinstance(values, dict) or set(values) - known or not isinstance(values.get("encoder", {}), dict):
        raise ValueError(f"{kind.__name__} has the keys {', '.join(sorted(known))}")
    made = {
        name: _build(_NESTED[name], value) if name in _NESTED and value is not None else _tuples(value)
        for name, value in values.items()
        if name != "encoder"
    }
    return kind(**made, **({"encoder": dict(values["encoder"])} if "encoder" in values else {}))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
