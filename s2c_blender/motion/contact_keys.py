# SPDX-License-Identifier: GPL-3.0-or-later
"""Where points of hands are in piano keys: depth of the deepest one in each key, its distance to the moved key, penetration.

Axes are the keyboard frame's (x to the treble, y away, z up); the origin may lie anywhere. NumPy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..wire.keyboard import BLACK_DIP, WHITE_DIP

Array = NDArray[np.floating]

TOP_LAYER = 0.0015  # vertices this far below a key's highest point make its footprint
NARROWED = 0.002  # fingers are soft: a press counts only this far inside the footprint's sides and front
TOO_DEEP = 0.030  # points further below the top are under the piano, not on it


@dataclass(frozen=True)
class KeyShapes:
    """K keys at rest, ascending in pitch. All arrays (K,), metres.

    `left` to `back` is the footprint: the extent of the top. A key may widen below it (bevels): `wide_*` is the whole extent
    in plan, reached `taper` below the top. `notch_*` is where black keys stand on a white one: it has no footprint left of
    `notch_left_x` (right of `notch_right_x`) behind the y given.
    """

    pitch: NDArray[np.int64]
    black: NDArray[np.bool_]
    left: Array
    right: Array
    front: Array
    back: Array
    top: Array
    wide_left: Array
    wide_right: Array
    wide_front: Array
    taper: Array
    notch_left_x: Array
    notch_left_y: Array
    notch_right_x: Array
    notch_right_y: Array
    balance: Array

    @staticmethod
    def measure(pitch: ArrayLike, vertices: Sequence[Array], balance: ArrayLike) -> "KeyShapes":
        """From the keys' vertices at rest, (V, 3) each, and the y of their balance lines."""
        pitches = np.asarray(pitch, dtype=np.int64)
        order = np.argsort(pitches, kind="stable")
        outlines = [_outline(np.asarray(vertices[i], dtype=float)) for i in order]
        columns = {name: np.array([outline[name] for outline in outlines]) for name in outlines[0]} if outlines else {}
        black = np.isin(pitches[order] % 12, (1, 3, 6, 8, 10))
        return KeyShapes(
            pitch=pitches[order],
            black=black,
            balance=np.asarray(balance, dtype=float)[order],
            **columns,
            **_notches(columns, black),
        )

    @property
    def full_travel(self) -> Array:
        """Travel at the front."""
        return np.where(self.black, BLACK_DIP, WHITE_DIP)

    @property
    def box(self) -> "Box":
        """Outside it no point can press a key or be inside one."""
        lowest = np.array([self.wide_left.min(), self.wide_front.min() - 0.001, self.top.min() - TOO_DEEP])
        return Box(lowest, np.array([self.wide_right.max(), self.back.max(), self.top.max()]))

    def travel(self, key: NDArray[np.intp], y: Array) -> Array:
        """Local travel at depth y."""
        share = (self.balance[key] - y) / (self.balance[key] - self.front[key])
        return self.full_travel[key] * np.maximum(share, 1e-3)


def _outline(vertices: Array) -> dict[str, float]:
    x, y, z = vertices.T
    top = z.max()
    on_top = z >= top - TOP_LAYER
    # Where the sides stop widening: the highest vertex at the full width.
    widest = (x <= x.min() + 1e-4) | (x >= x.max() - 1e-4)
    return {
        "left": x[on_top].min(),
        "right": x[on_top].max(),
        "front": y[on_top].min(),
        "back": y[on_top].max(),
        "top": top,
        "wide_left": x.min(),
        "wide_right": x.max(),
        "wide_front": y.min(),
        "taper": max(top - z[widest].max(), 1e-4),
    }


def _notches(columns: dict[str, Array], black: NDArray[np.bool_]) -> dict[str, Array]:
    """For each white key the plan extents of the black keys that stand over its left and right edges."""
    far = np.full(len(black), np.inf)
    notch = {"notch_left_x": -far, "notch_left_y": far.copy(), "notch_right_x": far.copy(), "notch_right_y": far.copy()}
    blacks = np.flatnonzero(black)
    for white in np.flatnonzero(~black):
        for other in blacks:
            left, right = columns["wide_left"][other], columns["wide_right"][other]
            if columns["left"][white] < right < columns["right"][white] and left <= columns["left"][white]:
                notch["notch_left_x"][white], notch["notch_left_y"][white] = right, columns["wide_front"][other]
            elif columns["left"][white] < left < columns["right"][white] and right >= columns["right"][white]:
                notch["notch_right_x"][white], notch["notch_right_y"][white] = left, columns["wide_front"][other]
    return notch


@dataclass(frozen=True)
class Box:
    """A stretch of space, (3,) to (3,)."""

    lowest: Array
    highest: Array


@dataclass(frozen=True)
class Cloud:
    """N points at moments: sample (N,), which point (N,), and where it is (N, 3)."""

    sample: NDArray[np.intp]
    point: NDArray[np.intp]
    place: Array

    @staticmethod
    def of(points: Array) -> "Cloud":
        """Every point of (T, P, 3)."""
        sample, point = np.divmod(np.arange(points.shape[0] * points.shape[1]), points.shape[1])
        return Cloud(sample, point, points.reshape(-1, 3))

    def within(self, box: Box) -> "Cloud":
        inside = np.ones(len(self.place), dtype=bool)
        for axis, column in enumerate(self.place.T):
            inside &= (column > box.lowest[axis]) & (column < box.highest[axis])
        return self[inside]

    def __getitem__(self, chosen: NDArray) -> "Cloud":
        return Cloud(self.sample[chosen], self.point[chosen], self.place[chosen])


@dataclass(frozen=True)
class Touches:
    """The lowest point over each key, for every sample in which there is one below the key's resting top. Arrays (N,).

    `depth`: share of the local travel; `gap`: signed distance (metres) to the moved key's top, negative inside it.
    """

    sample: NDArray[np.intp]
    key: NDArray[np.intp]
    depth: Array
    gap: Array
    point: NDArray[np.intp]


@dataclass(frozen=True)
class Penetration:
    """(T,) per sample: the deepest any point lies inside a moved key (metres, 0 outside), the key and the point (-1: none)."""

    depth: Array
    key: NDArray[np.intp]
    point: NDArray[np.intp]


def find_touches(shapes: KeyShapes, cloud: Cloud, to_rest: Array) -> tuple[Touches, Penetration]:
    """to_rest (T, K, 3, 4) takes a point near a moved key to where it would be were the key at rest."""
    depth = np.zeros(len(to_rest))
    worst, deepest = np.full((2, len(to_rest)), -1, dtype=np.intp)
    found = []
    for black in (False, True):
        key, within = _columns(shapes, cloud.place, black)
        near = cloud[within]
        at, place = near.sample, near.place
        moved = to_rest[at, key]
        at_rest = (moved[:, :, :3] @ place[:, :, None])[:, :, 0] + moved[:, :, 3]
        inside = _inside(shapes, at_rest, key)
        order = np.flatnonzero(inside > depth[at])
        order = order[np.argsort(inside[order], kind="stable")]
        # Ascending: the last written is the deepest.
        depth[at[order]], worst[at[order]], deepest[at[order]] = inside[order], key[order], near.point[order]
        over = np.flatnonzero(_over(shapes, place, key))
        lowest = over[_lowest(at[over] * len(shapes.pitch) + key[over], place[over, 2])]
        k, y, z = key[lowest], place[lowest, 1], place[lowest, 2]
        share = (shapes.top[k] - z) / shapes.travel(k, y)
        found.append((at[lowest], k, share, at_rest[lowest, 2] - shapes.top[k], near.point[lowest]))
    return Touches(*(np.concatenate(parts) for parts in zip(*found, strict=True))), Penetration(depth, worst, deepest)


def _columns(shapes: KeyShapes, place: Array, black: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which points lie in the width of a white (black) key and below its resting top, and of which key. Both (N,)."""
    keys = np.flatnonzero(shapes.black == black)
    keys = keys[np.argsort(shapes.wide_left[keys], kind="stable")]
    if not len(keys):
        return keys, keys
    low = np.flatnonzero(place[:, 2] < shapes.top[keys].max())
    x, z = place[low, 0], place[low, 2]
    column = np.searchsorted(shapes.wide_left[keys], x, side="right") - 1
    key = keys[np.maximum(column, 0)]
    chosen = (column >= 0) & (x < shapes.wide_right[key]) & (z < shapes.top[key])
    return key[chosen], low[chosen]


def _sides(shapes: KeyShapes, y: Array, key: NDArray[np.intp], widening: Array | float) -> tuple[Array, Array]:
    """x of the key's sides at depth y; `widening` (0 to 1) leads from its top to its whole extent."""
    left = shapes.left[key] + widening * (shapes.wide_left[key] - shapes.left[key])
    right = shapes.right[key] + widening * (shapes.wide_right[key] - shapes.right[key])
    left = np.where(y > shapes.notch_left_y[key], np.maximum(left, shapes.notch_left_x[key]), left)
    right = np.where(y > shapes.notch_right_y[key], np.minimum(right, shapes.notch_right_x[key]), right)
    return left, right


def _over(shapes: KeyShapes, place: Array, key: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which points lie over (or in) the narrowed footprint."""
    x, y, z = place.T
    left, right = _sides(shapes, y, key, 0.0)
    across = (x > left + NARROWED) & (x < right - NARROWED)
    return across & (y > shapes.front[key] + NARROWED) & (y < shapes.back[key]) & (z > shapes.top[key] - TOO_DEEP)


def _inside(shapes: KeyShapes, place: Array, key: NDArray[np.intp]) -> Array:
    """How far each point lies inside the key at rest: the least of its distances to top, sides and front; 0 outside."""
    x, y, z = place.T
    below = shapes.top[key] - z
    widening = np.clip(below / shapes.taper[key], 0.0, 1.0)
    left, right = _sides(shapes, y, key, widening)
    front = shapes.front[key] + widening * (shapes.wide_front[key] - shapes.front[key])
    least = np.minimum.reduce([below, x - left, right - x, y - front])
    return np.where((y < shapes.back[key]) & (below < TOO_DEEP), np.maximum(least, 0.0), 0.0)


def _lowest(group: NDArray[np.intp], height: Array) -> NDArray[np.intp]:
    """Index of the lowest member of each group."""
    order = np.lexsort((height, group))
    first = np.ones(len(order), dtype=bool)
    first[1:] = group[order][1:] != group[order][:-1]
    return order[first]
