# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run is told: the paper's values from this folder's .toml files, a file of the person's own, single settings."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

from s2c_blender.wire.errors import PianoHandsError

from ..s2c.config import ModelConfig


class Stage(Enum):
    """POSITION trains encoders and position predictors, GESTURE the denoisers, NOTES all of a model that reads notes."""

    POSITION = "position"
    GESTURE = "gesture"
    NOTES = "notes"


@dataclass(frozen=True)
class TrainingConfig:
    """batch: windows of all processes together. The other fields stand with their reasons in the .toml files."""

    stage: Stage
    steps: int
    batch: int
    learning_rate: float
    optimiser: str = "adam"
    weight_decay: float = 0.0
    motion: float = 0.0
    train_encoder: bool = False
    precision: str = "fp32"
    ema: float = 0.0
    clip: float = 0.0
    warmup: int = 0
    decay: str = "constant"
    seed: int = 0
    uploaders: tuple[str, ...] = ()
    adjust: bool = True
    cache_features: bool = False
    stride: int = 1
    workers: int = 2  # processes that cut windows, beside each that trains
    save_every: int = 1000
    validate_every: int = 1000
    validate_windows: int = 50  # at most; as many sequences the paper validates on
    validate_steps: int = 25  # of the sampler (the paper takes all 1000, which only take longer)

    def __post_init__(self) -> None:
        """Raises ValueError, which names the setting."""
        for name in ("steps", "batch", "stride", "save_every", "validate_every", "validate_windows", "validate_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}")
        choices = {"optimiser": ("adam", "adamw"), "precision": ("fp32", "bf16", "fp16"), "decay": ("constant", "cosine")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r}, which is none of {', '.join(allowed)}")
        if not (self.learning_rate > 0 and 0 <= self.ema < 1 and self.clip >= 0 and self.workers >= 0):
            raise ValueError("learning_rate, ema, clip or workers out of range")
        if self.cache_features and self.train_encoder and self.stage is Stage.POSITION:
            raise ValueError("cache_features and train_encoder, but what changes cannot be kept")

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        rate = self.learning_rate * min(1.0, (step + 1) / self.warmup) if self.warmup else self.learning_rate
        if self.decay == "cosine":
            rate *= 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / self.steps))
        return rate

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"stage": self.stage.value, "uploaders": list(self.uploaders)}


def read_config(
    stage: Stage, path: Path | None = None, settings: Sequence[str] = ()
) -> tuple[TrainingConfig, ModelConfig | None, bool]:
    """The paper's values, those of a file over them, and each NAME=VALUE over both.

    Returns the sizes of the model too, if any file has them, and whether it was the person's own. Raises
    PianoHandsError('bad-setting').
    """
    values = _tables(Path(__file__).with_name(f"{stage.value}.toml"))
    own = _tables(path) if path else {}
    train = {**values["train"], **own.get("train", {}), **dict(map(_setting, settings))}
    model = own.get("model", values.get("model"))
    known = {field.name: field for field in fields(TrainingConfig) if field.name != "stage"}
    try:
        for name in train:
            if name not in known:
                raise ValueError(f"{name}, which no setting is called: there are {', '.join(known)}")
        made = TrainingConfig(stage=stage, **{name: _value(known[name].type, name, value) for name, value in train.items()})
        return made, None if model is None else ModelConfig.from_json(model), "model" in own
    except (ValueError, TypeError, KeyError) as error:
        raise bad_setting(f"The training was given {error}.") from error


def bad_setting(what: str, hint: str = "Correct the file given by --config, or what is given by --set.") -> PianoHandsError:
    return PianoHandsError("bad-setting", what, hint)


def _tables(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad_setting(f"{path} cannot be used: {error}.") from error
    if set(values) - {"train", "model"} or not all(isinstance(value, Mapping) for value in values.values()):
        raise bad_setting(f"{path} has other tables than [train] and [model].")
    return values


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError("there is no =")
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except ValueError as error:
        raise bad_setting(f"{text!r} is no NAME=VALUE in TOML's way: {error}.", 'Texts stand in quotes: decay="cosine".') from error


def _value(kind: Any, name: str, value: Any) -> Any:
    """Of the field's own type: a float may be written as a whole number, a tuple as a list of texts."""
    if kind is float and type(value) is int:
        return float(value)
    if kind == tuple[str, ...] and isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    if type(value) is not kind:
        raise ValueError(f"{name} = {value!r}, which is of the wrong type")
    return value
