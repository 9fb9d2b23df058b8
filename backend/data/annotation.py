# SPDX-License-Identifier: GPL-3.0-or-later
"""One annotation file: both hands' frames as an array, and what else of the file is used. Anything odd makes the item broken."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide

from .layout import ANNOTATED, COLUMNS, POSE, POSITION, VISIBLE

Array = NDArray[np.float32]

_LARGEST = 400_000_000  # bytes; an hour of annotation has 150 million
_FASTEST = 240.0  # frames a second
_TURN, _PLACE = 50.0, 1000.0  # radians and metres beyond which a number is no pose


class BrokenItem(Exception):
    """Why an item cannot be used."""


@dataclass(frozen=True)
class Annotation:
    """frames: (2, T, 52) in the order of `HandSide`, as written; adjust: (3,), of which y and z bring all films to one camera;
    start: seconds of the video at which it begins."""

    frames: Array
    fps: float
    adjust: Array
    start: float = 0.0

    def adjusted(self) -> Array:
        """The frames as seen by the camera that all films have in common."""
        frames = self.frames.copy()
        frames[:, :, POSITION.start + 1 : POSITION.stop] += self.adjust[1:]
        return frames


def read(path: Path) -> Annotation:
    """Raises BrokenItem."""
    try:
        if path.stat().st_size > _LARGEST:
            raise BrokenItem("the annotation is far too large")
        values = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BrokenItem("there is no annotation") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenItem(f"the annotation cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise BrokenItem("the annotation is no JSON object")
    fps = _number(values, "fps")
    if not 0 < fps <= _FASTEST:
        raise BrokenItem(f"{fps:g} frames a second make no sense")
    hands = [_frames(values, side) for side in HandSide]
    if len(hands[0]) != len(hands[1]):
        raise BrokenItem(f"the right hand has {len(hands[0])} frames, the left one {len(hands[1])}")
    start = _number(values, "start_frame") / fps if "start_frame" in values else 0.0
    return Annotation(np.stack(hands), fps, _numbers(values, "adjust", (3,)), start)


def _frames(values: Mapping[str, Any], side: HandSide) -> Array:
    frames = _numbers(values, side.word, None)
    if frames.ndim != 2 or frames.shape[1] != ANNOTATED:
        raise BrokenItem(f"the {side.word} hand's frames have the shape {frames.shape} instead of (T, {ANNOTATED})")
    frames = frames[:, :COLUMNS]
    if not len(frames):
        raise BrokenItem(f"the {side.word} hand has no frames")
    if np.abs(frames[:, POSE]).max() > _TURN or np.abs(frames[:, POSITION]).max() > _PLACE:
        raise BrokenItem(f"the {side.word} hand has numbers that are no pose")
    if frames[:, VISIBLE].min() < 0 or frames[:, VISIBLE].max() > 1:
        raise BrokenItem(f"the {side.word} hand is visible neither by 0 nor by 1")
    return frames


def _numbers(values: Mapping[str, Any], name: str, shape: tuple[int, ...] | None) -> Array:
    try:
        array = np.array(values[name], dtype=np.float32)
    except KeyError as error:
        raise BrokenItem(f"the annotation has no {name}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise BrokenItem(f"the annotation's {name} is no array of numbers") from error
    if shape is not None and array.shape != shape:
        raise BrokenItem(f"the annotation's {name} has the shape {array.shape} instead of {shape}")
    if not np.isfinite(array).all():
        raise BrokenItem(f"the annotation's {name} holds something that is no number")
    return array


def _number(values: Mapping[str, Any], name: str) -> float:
    return float(_numbers(values, name, ()))
