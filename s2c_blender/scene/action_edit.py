# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to F-curves that are there already, in bulk: moved, stretched, cut, a part replaced; the rest stays bit for bit."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import bpy
import numpy as np
from numpy.typing import NDArray

from .action import Keys, curves_of
from .marks import is_ours

_LINEAR, _FREE = 1, 0  # values of Keyframe.interpolation and of Keyframe.handle_left_type
_NEAR = 0.01  # of a frame: two keys that are one
_FEW = 8  # times as many keys in a curve as are to change, from which on they are changed one by one


@dataclass
class Points:
    """All keyframes of a curve, K of them: (frame, value) of the key and of its handles, and how it leads on."""

    co: NDArray[np.float32]  # (K, 2)
    handle_left: NDArray[np.float32]  # (K, 2)
    handle_right: NDArray[np.float32]  # (K, 2)
    interpolation: NDArray[np.int32]  # (K,)
    handle_left_type: NDArray[np.int32]  # (K,)
    handle_right_type: NDArray[np.int32]  # (K,)

    @staticmethod
    def of(curve: bpy.types.FCurve) -> "Points":
        return Points(*(_column(curve, name) for name in _NAMES))

    def take(self, chosen: NDArray[np.bool_]) -> "Points":
        return Points(*(getattr(self, name)[chosen] for name in _NAMES))

    def write(self, curve: bpy.types.FCurve) -> None:
        points = curve.keyframe_points
        if len(points) != len(self.co):
            points.clear()
            points.add(len(self.co))
        for name in ("handle_left_type", "handle_right_type", "interpolation", "co", "handle_left", "handle_right"):
            points.foreach_set(name, np.ascontiguousarray(getattr(self, name)).ravel())
        if (self.interpolation != _LINEAR).any():
            curve.update()


_NAMES = tuple(field.name for field in fields(Points))
_PLACES = ("co", "handle_left", "handle_right")


def _column(curve: bpy.types.FCurve, name: str) -> np.ndarray:
    points, count = curve.keyframe_points, len(curve.keyframe_points)
    wide = name in _PLACES
    column = np.empty(2 * count if wide else count, dtype=np.float32 if wide else np.int32)
    points.foreach_get(name, column)
    return column.reshape(count, 2) if wide else column


def take_curves(scene: bpy.types.Scene) -> Iterator[bpy.types.FCurve]:
    """Every curve of the take's actions on the scene's objects, a character's among them."""
    for thing in scene.objects:
        data = thing.animation_data
        if data is not None and data.action is not None and is_ours(data.action):
            yield from curves_of(thing)


def map_frames(curve: bpy.types.FCurve, *, factor: float = 1.0, shift: float = 0.0) -> None:
    """Every frame becomes `factor` times itself plus `shift`; values stay."""
    points = Points.of(curve)
    for name in ("co", "handle_left", "handle_right"):
        column = getattr(points, name)
        column[:, 0] = factor * column[:, 0].astype(float) + shift
    points.write(curve)


def cut(curve: bpy.types.FCurve, first: float, last: float) -> None:
    """Keep what lies between two frames; where the curve went on, a key holds what it had there."""
    points = Points.of(curve)
    frames = points.co[:, 0]
    if not len(frames):
        return
    edges = [frame for frame in (first, last) if frames[0] < frame < frames[-1] and np.abs(frames - frame).min() > _NEAR]
    values = [curve.evaluate(frame) for frame in edges]
    inside = points.take((frames > first - _NEAR) & (frames < last + _NEAR))
    if len(inside.co) or edges:
        _with_keys(inside, Keys(np.array(edges), np.array(values))).write(curve)
        return
    held = Keys(np.array([first]), np.array([curve.evaluate(first)]))  # it had ended before, or begins only after
    _with_keys(inside, held).write(curve)


def replace_span(curve: bpy.types.FCurve, keys: Keys, *, beside: float = 0.0) -> None:
    """Put linear `keys` in place of all between the first and the last of them.

    beside: frames before and after which the curve has to be as it was, where a straight line led from farther off.
    """
    frames = _column(curve, "co")[:, 0]
    first, last = keys.frames[0], keys.frames[-1]
    inside = np.flatnonzero((frames > first - _NEAR) & (frames < last + _NEAR))
    if len(inside) == len(keys.frames) and np.abs(frames[inside] - keys.frames).max() < _NEAR:
        _change_values(curve, inside, frames[inside], keys.values)
        return
    points = Points.of(curve)
    edges = [edge for edge in (first - beside, last + beside) if beside and frames[0] < edge < frames[-1]]
    edges = [edge for edge in edges if np.abs(frames - edge).min() > _NEAR]
    held = Keys(np.array(edges), np.array([curve.evaluate(edge) for edge in edges]))
    outside = np.ones(len(frames), dtype=bool)
    outside[inside] = False
    _with_keys(_with_keys(points.take(outside), keys), held).write(curve)


def _change_values(
    curve: bpy.types.FCurve, which: NDArray[np.intp], frames: NDArray[np.float32], values: NDArray[np.floating]
) -> None:
    """Other values for the keys `which`, one behind the other, at their frames; they become linear. Faster than to write all."""
    points = curve.keyframe_points
    if _FEW * len(which) < len(points):
        for point, *place in zip(points[which[0] : which[-1] + 1], frames.tolist(), values.tolist(), strict=True):
            point.co = point.handle_left = point.handle_right = place
    else:
        for name in _PLACES:
            column = _column(curve, name)
            column[which, 0], column[which, 1] = frames, values
            points.foreach_set(name, column.ravel())
    kinds = _column(curve, "interpolation")
    if (kinds[which] != _LINEAR).any():
        kinds[which] = _LINEAR
        points.foreach_set("interpolation", kinds)
    if (kinds != _LINEAR).any():
        curve.update()


def _with_keys(points: Points, keys: Keys) -> Points:
    """Points with linear keys added, in order."""
    co = np.column_stack([keys.frames, keys.values]).astype(np.float32).reshape(-1, 2)
    kinds = np.full(len(co), _LINEAR, dtype=np.int32)
    free = np.full(len(co), _FREE, dtype=np.int32)
    added = Points(co, co, co, kinds, free, free)
    together = [np.concatenate([getattr(points, name), getattr(added, name)]) for name in _NAMES]
    order = np.argsort(together[0][:, 0], kind="stable")
    return Points(*(column[order] for column in together))
