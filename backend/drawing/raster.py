# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands as round bars over a keyboard, seen from above and a little from the player's side, into an array of pixels. NumPy only.

A bar between two balls is a height field: at each pixel it is as high as the ball whose middle, on the line between the ends, lies
nearest. The highest bar at a pixel is seen, lit by the direction in which its surface looks.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.keyboard import BLACK_LENGTH, WHITE_LENGTH, Keyboard

Array = NDArray[np.floating]
Picture = NDArray[np.uint8]  # (height, width, 3)

_TILT = np.radians(28.0)  # of the view, off the vertical
_NEAR, _FAR = -0.15, 0.20  # metres of depth that are seen
_LIGHT = np.array([-0.35, -0.25, 0.9])
_WHITE, _BLACK, _GROUND = (236, 234, 228), (38, 38, 42), (58, 60, 66)
_SHADE = 0.42  # of what looks away from the light


@dataclass(frozen=True)
class View:
    """A part of the keyboard from `left` to `right` (metres), `width` pixels wide."""

    left: float
    right: float
    width: int
    height: int
    keyboard: Keyboard = field(default_factory=Keyboard)

    @property
    def scale(self) -> float:
        """Pixels a metre."""
        return min(self.width / (self.right - self.left), self.height / self._seen(np.array([0.0, _FAR - _NEAR, 0.0]))[1])

    def project(self, points: Array) -> Array:
        """(..., 3) of the keyboard frame to (..., 3): pixels to the right, pixels down, and height to the viewer in pixels."""
        seen = self._seen(points)
        across = (seen[..., 0] - (self.left + self.right) / 2) * self.scale + self.width / 2
        middle = self._seen(np.array([0.0, (_NEAR + _FAR) / 2, 0.0]))[1]
        return np.stack([across, self.height / 2 - (seen[..., 1] - middle) * self.scale, seen[..., 2] * self.scale], axis=-1)

    @staticmethod
    def _seen(points: Array) -> Array:
        x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
        sine, cosine = np.sin(_TILT), np.cos(_TILT)
        return np.stack([x, y * cosine + z * sine, z * cosine - y * sine], axis=-1)

    @cached_property
    def background(self) -> Picture:
        """The keyboard at rest."""
        picture = np.empty((self.height, self.width, 3), np.uint8)
        picture[:] = _GROUND
        for black in (False, True):
            for key in np.flatnonzero(self.keyboard.black == black):
                self.fill(picture, int(key), _BLACK if black else _WHITE)
        return picture

    def fill(self, picture: Picture, key: int, colour: tuple[int, int, int]) -> None:
        """A key's top; black keys that lie over a white one are not painted over again."""
        rows, columns = self._place(key)
        picture[rows, columns] = colour
        if not self.keyboard.black[key]:
            for other in (key - 1, key + 1):
                if 0 <= other < len(self.keyboard.x) and self.keyboard.black[other]:
                    picture[self._place(other)] = _BLACK

    def _place(self, key: int) -> tuple[slice, slice]:
        board = self.keyboard
        front, half = board.front[key], board.half_width[key]
        length = BLACK_LENGTH if board.black[key] else WHITE_LENGTH - front
        corners = np.array([[board.x[key] - half, front, board.top[key]], [board.x[key] + half, front + length, board.top[key]]])
        (left, bottom, _), (right, top, _) = self.project(corners)
        return _span(top, bottom, self.height), _span(left, right, self.width)


def _span(first: float, last: float, size: int) -> slice:
    return slice(int(np.clip(round(first), 0, size)), int(np.clip(round(last), 0, size)))


@dataclass(frozen=True)
class Bars:
    """ends (M, 2, 3) in the keyboard frame, radius (M,) in metres, colour (M, 3) of 0 to 255."""

    ends: Array
    radius: Array
    colour: Array


def draw(picture: Picture, view: View, bars: Bars) -> None:
    """Paint the bars over the picture."""
    height = np.full(picture.shape[:2], -np.inf, np.float32)
    ends, radius = view.project(bars.ends), bars.radius * view.scale
    for bar in range(len(ends)):
        _bar(picture, height, ends[bar].astype(np.float32), float(radius[bar]), bars.colour[bar])


def _bar(picture: Picture, height: NDArray[np.float32], ends: NDArray[np.float32], radius: float, colour: Array) -> None:
    low, high = ends[:, :2].min(0) - radius, ends[:, :2].max(0) + radius
    rows = slice(max(int(low[1]), 0), min(int(high[1]) + 2, picture.shape[0]))
    columns = slice(max(int(low[0]), 0), min(int(high[0]) + 2, picture.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    along = ends[1] - ends[0]
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None] - ends[0, 0]
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - ends[0, 1]
    part = np.clip((x * along[0] + y * along[1]) / max(float(along[0] ** 2 + along[1] ** 2), 1e-6), 0.0, 1.0)
    across, down = x - part * along[0], y - part * along[1]
    rest = radius**2 - across**2 - down**2
    up = np.sqrt(np.maximum(rest, 0.0))
    level = ends[0, 2] + part * along[2] + up
    before = height[rows, columns]
    seen = (rest > 0.0) & (level > before)
    before[seen] = level[seen]
    light = (across * _LIGHT[0] + down * _LIGHT[1] + up * _LIGHT[2])[seen] / (radius * np.linalg.norm(_LIGHT))
    shade = _SHADE + (1.0 - _SHADE) * np.clip(light, 0.0, 1.0)
    picture[rows, columns][seen] = (shade[:, None] * colour).astype(np.uint8)
