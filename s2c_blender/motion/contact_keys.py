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
    """(T,) per sample: the deepest any point lies inside a moved key (metres, 0 outside), and the key (-1: none)."""

    depth: Array
    key: NDArray[np.intp]


def find_touches(shapes: KeyShapes, points: Array, to_rest: Array) -> tuple[Touches, Penetration]:
    """points (T, P, 3); to_rest (T, K, 3, 4) takes a point near a moved key to where it would be were the key at rest."""
    depth = np.zeros(len(points))
    worst = np.full(len(points), -1, dtype=np.intp)
    sample, point = _near_keys(shapes, points)
    place = points[sample, point].astype(float)
    found = []
    for black in (False, True):
        key, within = _columns(shapes, place, black)
        at, spots, k = sample[within], place[within], key[within]
        moved = to_rest[at, k]
        at_rest = np.einsum("nij,nj->ni", moved[..., :3], spots) + moved[..., 3]
        inside = _inside(shapes, at_rest, k)
        order = np.argsort(inside, kind="stable")
        order = order[inside[order] > depth[at[order]]]
        depth[at[order]], worst[at[order]] = inside[order], k[order]  # ascending: the last written is the deepest
        over = np.flatnonzero(_over(shapes, spots, k))
        lowest = over[_lowest(at[over] * len(shapes.pitch) + k[over], spots[over, 2])]
        key_of = k[lowest]
        below = shapes.top[key_of] - spots[lowest, 2]
        share = below / shapes.travel(key_of, spots[lowest, 1])
        found.append((at[lowest], key_of, share, at_rest[lowest, 2] - shapes.top[key_of], point[within][lowest]))
    return Touches(*(np.concatenate(parts) for parts in zip(*found, strict=True))), Penetration(depth, worst)


def _near_keys(shapes: KeyShapes, points: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    z = points[..., 2]
    # A point above every resting key can neither press nor be inside one; most of a hand always is.
    sample, point = np.nonzero((z < shapes.top.max()) & (z > shapes.top.min() - TOO_DEEP))
    y = points[sample, point, 1]
    near = (y > shapes.wide_front.min() - 0.001) & (y < shapes.back.max())
    return sample[near], point[near]


def _columns(shapes: KeyShapes, place: Array, black: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The white (black) key in whose width each point lies, and which points lie in one."""
    keys = np.flatnonzero(shapes.black == black)
    keys = keys[np.argsort(shapes.wide_left[keys], kind="stable")]
    if not len(keys):
        return np.zeros(len(place), dtype=np.intp), np.zeros(0, dtype=np.intp)
    column = np.searchsorted(shapes.wide_left[keys], place[:, 0], side="right") - 1
    key = keys[np.maximum(column, 0)]
    within = (column >= 0) & (place[:, 0] < shapes.wide_right[key]) & (place[:, 2] < shapes.top[key])
    return key, np.flatnonzero(within)


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
