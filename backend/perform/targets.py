# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fingertips are asked to do at every frame: the planner's wish list, the solve's right-hand side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.keyboard import BLACK_HEIGHT, KEY_COUNT, Keyboard

Array = NDArray[np.float64]

_BLACK_RISE = (0.036, 0.056)  # y over which the tops of the black keys begin to count: wide, for a steep edge makes steps swing


def black_top(y: Array) -> Array:
    """Metres above the white keys up to which the tops of black keys count at depth y, in y's precision."""
    begin, end = _BLACK_RISE
    u = np.clip((y - y.dtype.type(begin)) * y.dtype.type(1.0 / (end - begin)), 0, 1)
    return u * u * (3 - 2 * u) * y.dtype.type(BLACK_HEIGHT)


def black_steepness(y: Array) -> Array:
    """Its derivative."""
    begin, end = _BLACK_RISE
    u = np.clip((y - begin) / (end - begin), 0.0, 1.0)
    return BLACK_HEIGHT * 6.0 * u * (1.0 - u) / (end - begin)


@dataclass(frozen=True)
class Targets:
    """Arrays (F, H, 5): frames, hands, fingers. Metres. A weight is one over a standard deviation squared.

    `pressed` (F, 88) is each key's share of its travel.

    The lowest skin point should be at  height + tilt * y + over_black * black_top(y).
    `clearance`: it should stay at least that far above the keys' tops; -inf where the finger may touch.
    y should lie between `y_low` and `y_high`; the fingertip's flanks between `x_low` and `x_high`, what of them is among the black
    keys between `tail_low` and `tail_high`. `on_top`: 1 where x means the lowest point (black keys), not the flanks.
    """

    rate: float
    keyboard: Keyboard
    pressed: Array
    height: Array
    tilt: Array
    over_black: Array
    height_weight: Array
    clearance: Array
    x_low: Array
    x_high: Array
    x_weight: Array
    tail_low: Array
    tail_high: Array
    on_top: Array
    y_low: Array
    y_high: Array
    y_weight: Array

    @staticmethod
    def idle(frames: int, rate: float, keyboard: Keyboard) -> "Targets":
        """No wishes at all."""
        wishes = {field.name: np.zeros((frames, 2, 5)) for field in fields(Targets)[3:]}
        return Targets(rate, keyboard, np.zeros((frames, KEY_COUNT)), **wishes)

    def take(self, index: NDArray[np.intp]) -> "Targets":
        """Frames `index` (any shape S): arrays of shape (*S, H, 5), (*S, 88)."""
        return self._each(lambda values: values[index])

    def flat(self) -> "Targets":
        """Leading axes made one."""
        leading = self.height.ndim - 2
        return self._each(lambda values: values.reshape(-1, *values.shape[leading:]))

    def to_arrays(self) -> dict[str, Array]:
        """Its wishes by name, as a file holds them."""
        return {field.name: getattr(self, field.name) for field in fields(self)[2:]}

    @staticmethod
    def from_arrays(rate: float, keyboard: Keyboard, arrays: Mapping[str, Array]) -> "Targets":
        """Raises KeyError."""
        return Targets(rate, keyboard, **{field.name: arrays[field.name] for field in fields(Targets)[2:]})

    def _each(self, change: Callable[[Array], Array]) -> "Targets":
        changed = {name: change(values) for name, values in self.to_arrays().items()}
        return Targets.from_arrays(self.rate, self.keyboard, changed)
