# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the surfaces of the two hands, and of the fingers of one hand, come to each other, and the fallboard. Negative where
they overlap.

Surfaces are looked at in their face centres, a part of them first, and all of them where they come closest.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGERS, HandSide
from ..wire.keyboard import FALLBOARD_HEIGHT, before_fallboard

Array = NDArray[np.floating]

_COARSE = 160  # faces of a finger looked at first
_COARSE_HAND = 600  # of a hand
_ASIDE = 0.003  # metres: a face's plane tells the distance of points this near to its centre, sideways
_REGION = 0.012  # metres around the closest points, within which all faces are looked at


@dataclass(frozen=True)
class Surface:
    """Faces of all hand meshes. Arrays over F faces.

    corners: (F, 4) point indices, around the face. hand: `HandSide`, or -1. finger: 5 * hand + finger for faces beyond the
    finger's first phalanx (fingers of one hand are joined before that), else -1.
    """

    corners: NDArray[np.intp]
    hand: NDArray[np.intp]
    finger: NDArray[np.intp]


@dataclass(frozen=True)
class Closest:
    """The least distance (metres) over some moments, when it was (seconds), and between what."""

    distance: float = np.inf
    time: float = np.inf
    what: str = ""

    def or_closer(self, other: "Closest") -> "Closest":
        return other if other.distance < self.distance else self


def closest_fingers(surface: Surface, points: Array, times: Array) -> Closest:
    """Two fingers of one hand; points (T, P, 3) at times (T,)."""
    best = Closest()
    for first in (0, 5):
        faces = [np.flatnonzero(surface.finger == first + finger) for finger in range(5)]
        posed = {i: _posed(surface, points, _some(f, _COARSE)) for i, f in enumerate(faces) if len(f)}
        for a, b in combinations(posed, 2):
            i, distance = _least(posed[a], posed[b], best.distance)
            if i is not None and distance < best.distance + _ASIDE:
                what = f"{HandSide(first // 5).word} {FINGERS[a]} and {FINGERS[b]}"
                best = best.or_closer(Closest(_refined(surface, points[i], faces[a], faces[b]), float(times[i]), what))
    return best


def closest_hands(surface: Surface, points: Array, times: Array) -> Closest:
    """The two hands; points (T, P, 3) at times (T,)."""
    right, left = (np.flatnonzero(surface.hand == hand) for hand in HandSide)
    if not len(right) or not len(left):
        return Closest()
    coarse_right, coarse_left = (_posed(surface, points, _some(faces, _COARSE_HAND)) for faces in (right, left))
    i, _ = _least(coarse_right, coarse_left, np.inf)
    if i is None:
        return Closest()
    return Closest(_refined(surface, points[i], right, left), float(times[i]), "hands")


def closest_to_board(points: Array, times: Array) -> Closest:
    """Any point of the hands, and the fallboard; points (T, P, 3) at times (T,)."""
    least = np.where(points[..., 2] < FALLBOARD_HEIGHT, before_fallboard(points), np.inf).min(axis=1)
    moment = int(np.argmin(least))
    return Closest(float(least[moment]), float(times[moment]), "fallboard")


def _some(faces: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    return faces[:: max(1, len(faces) // count)]


def _posed(surface: Surface, points: Array, faces: NDArray[np.intp]) -> tuple[Array, Array]:
    """Centres and unit normals of faces, both (T, F, 3)."""
    corner = points[:, surface.corners[faces]]
    normal = np.cross(corner[:, :, 2] - corner[:, :, 0], corner[:, :, 3] - corner[:, :, 1])
    length = np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    return corner.mean(axis=2), normal / length


def _least(a: tuple[Array, Array], b: tuple[Array, Array], known: float) -> tuple[int | None, float]:
    """The moment of the least distance, and the distance; moments that cannot come below `known` are passed over."""
    low = np.maximum(a[0].min(axis=1) - b[0].max(axis=1), b[0].min(axis=1) - a[0].max(axis=1))
    boxes = np.linalg.norm(np.maximum(low, 0.0), axis=1)  # distance of the bounding boxes
    moment, best = None, known
    for i in np.argsort(boxes):
        if boxes[i] > best:
            break
        distance = _distance(a[0][i], b[0][i], b[1][i])
        if distance < best:
            moment, best = int(i), distance
    return moment, best


def _distance(points: Array, centres: Array, normals: Array) -> float:
    """Least signed distance of points (A, 3) to a surface of B faces."""
    nearest = np.argmin(_squared(points, centres), axis=1)
    way = points - centres[nearest]
    out = (way * normals[nearest]).sum(axis=1)
    length = np.linalg.norm(way, axis=1)
    aside = np.sqrt(np.maximum(length**2 - out**2, 0.0))
    return float(np.where(aside < _ASIDE, out, length).min())


def _squared(a: Array, b: Array) -> Array:
    """(A, B) squared distances; enough to find the least ones by."""
    origin = a[0]
    a, b = a - origin, b - origin
    return (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)


def _refined(surface: Surface, points: Array, a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    """The distance of two parts at one moment, both ways, from all faces around where they come closest."""
    centre_a, normal_a = (part[0] for part in _posed(surface, points[None], a))
    centre_b, normal_b = (part[0] for part in _posed(surface, points[None], b))
    some_a, some_b = _some(np.arange(len(a)), _COARSE_HAND), _some(np.arange(len(b)), _COARSE_HAND)
    squared = _squared(centre_a[some_a], centre_b[some_b])
    i, j = np.unravel_index(np.argmin(squared), squared.shape)
    middle = 0.5 * (centre_a[some_a[i]] + centre_b[some_b[j]])
    reach = _REGION + 0.5 * np.linalg.norm(centre_a[some_a[i]] - centre_b[some_b[j]])
    near_a = np.linalg.norm(centre_a - middle, axis=1) < reach
    near_b = np.linalg.norm(centre_b - middle, axis=1) < reach
    there = _distance(centre_a[near_a], centre_b[near_b], normal_b[near_b])
    back = _distance(centre_b[near_b], centre_a[near_a], normal_a[near_a])
    return min(there, back)
