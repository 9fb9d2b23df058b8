# SPDX-License-Identifier: GPL-3.0-or-later
"""Solids from outlines: stacks of rings, with normals that keep flat faces flat and rounded edges round."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SMOOTH_ANGLE = np.radians(50.0)  # faces that meet at less are one rounded surface


@dataclass
class Solid:
    """Vertices and faces as they are put together; `material[i]` is the material slot of face i."""

    points: list[Array] = field(default_factory=list)
    faces: list[list[int]] = field(default_factory=list)
    material: list[int] = field(default_factory=list)

    def add(self, points: ArrayLike, faces: Sequence[Sequence[int]], material: int = 0) -> None:
        start = len(self.points)
        self.points.extend(np.asarray(points, dtype=float))
        self.faces.extend([start + i for i in face] for face in faces)
        self.material.extend([material] * len(faces))

    def stack(self, rings: Sequence[Array], *, material: int = 0, caps: Sequence[Sequence[int]] | None = None) -> None:
        """Close rings (R, N, 3), each counterclockwise seen from the side of the last one, into a solid.

        `caps` splits the last ring into faces where it is not convex.
        """
        count = len(rings[0])
        faces: list[list[int]] = []
        for level in range(len(rings) - 1):
            low, high = level * count, (level + 1) * count
            faces += [[low + i, low + (i + 1) % count, high + (i + 1) % count, high + i] for i in range(count)]
        top = (len(rings) - 1) * count
        faces += [[top + i for i in cap] for cap in caps or [range(count)]]
        faces.append(list(range(count - 1, -1, -1)))
        self.add(np.concatenate(rings), faces, material)

    def box(self, low: ArrayLike, high: ArrayLike, *, round_by: float = 0.0, material: int = 0) -> None:
        """An upright box between two corners; its vertical edges, and its upper and lower ones, rounded."""
        (x0, y0, z0), (x1, y1, z1) = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        outline = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        self.stack(slab(outline, z0, z1, round_by=round_by), material=material)

    def along_x(self, profile: Array, start: float, end: float, *, material: int = 0) -> None:
        """A profile (N, 2) of (y, z), counterclockwise seen from the treble, drawn out from x `start` to `end`."""
        self.stack([np.column_stack([np.full(len(profile), x), profile]) for x in (start, end)], material=material)

    def turned(self, centre: ArrayLike, profile: Sequence[tuple[float, float]], *, material: int = 0, sides: int = 24) -> None:
        """A turned leg: `profile` of (radius, z) from the floor up, about the upright axis through `centre` (x, y)."""
        turn = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
        circle = np.column_stack([np.cos(turn), np.sin(turn)])
        self.stack([level(np.asarray(centre) + radius * circle, z) for radius, z in profile], material=material)

    def mesh(self, name: str, materials: Sequence[bpy.types.Material]) -> bpy.types.Mesh:
        """A mesh of it, with its normals."""
        mesh = bpy.data.meshes.new(name)
        points = np.array(self.points)
        mesh.from_pydata(points.tolist(), [], self.faces)
        for material in materials:
            mesh.materials.append(material)
        mesh.polygons.foreach_set("material_index", np.array(self.material, dtype=np.int32))
        mesh.polygons.foreach_set("use_smooth", np.ones(len(self.faces), dtype=bool))
        mesh.normals_split_custom_set(_corner_normals(points, self.faces).tolist())
        return mesh


def inset(outline: Array, by: ArrayLike) -> Array:
    """Move the edges of a counterclockwise outline (N, 2) inwards; `by` is one distance or one for each vertex."""
    edge = np.roll(outline, -1, axis=0) - outline
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    inward = np.column_stack([-edge[:, 1], edge[:, 0]])
    before = np.roll(inward, 1, axis=0)
    mitre = (before + inward) / (1.0 + np.sum(before * inward, axis=1, keepdims=True))
    return outline + np.broadcast_to(np.asarray(by, dtype=float), len(outline))[:, None] * mitre


def rounded(outline: Array, radius: ArrayLike, *, steps: int = 3) -> Array:
    """The outline (N, 2) with each corner replaced by an arc; `radius` is one for all corners or one for each, 0 keeps it."""
    out = []
    radius = np.broadcast_to(np.asarray(radius, dtype=float), len(outline))
    for i, corner in enumerate(outline):
        if radius[i] <= 0.0:
            out.append(corner)
            continue
        to = [outline[i - 1] - corner, outline[(i + 1) % len(outline)] - corner]
        to = [direction / np.linalg.norm(direction) for direction in to]
        half = 0.5 * np.arccos(np.clip(to[0] @ to[1], -1.0, 1.0))
        start, end = (corner + direction * radius[i] / np.tan(half) for direction in to)
        t = np.linspace(0.0, 1.0, steps + 1)[:, None]
        # A quadratic Bezier of the corner: within a few per cent of the arc.
        out.extend((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    return np.array(out)


def level(outline: Array, z: float) -> Array:
    """The outline (N, 2) as a ring (N, 3) at height z."""
    return np.column_stack([outline, np.full(len(outline), z)])


def slab(outline: Array, bottom: float, top: float, *, round_by: float = 0.0, steps: int = 3) -> list[Array]:
    """Rings of a plate whose upper and lower edges are rounded."""
    if round_by <= 0.0:
        return [level(outline, bottom), level(outline, top)]
    return [*rounding(outline, bottom, -round_by, steps=steps)[::-1], *rounding(outline, top, round_by, steps=steps)]


def rounding(outline: Array, z: float, radius: float, *, steps: int = 3) -> list[Array]:
    """Rings of a quarter-round edge from the full outline to its inset one at height z; a negative radius for a lower edge."""
    angles = np.linspace(0.0, 0.5 * np.pi, steps + 1)
    return [level(inset(outline, abs(radius) * (1.0 - np.cos(a))), z - radius * (1.0 - np.sin(a))) for a in angles]


def _corner_normals(points: Array, faces: Sequence[Sequence[int]]) -> Array:
    """Normal of each face corner: the mean, by area, of the faces there that turn little against its own face."""
    sizes = np.array([len(face) for face in faces])
    own = np.repeat(np.arange(len(faces)), sizes)  # face of each corner
    corner = np.concatenate([np.asarray(face) for face in faces])  # its vertex
    following = np.concatenate([np.roll(face, -1) for face in faces])
    area = np.zeros((len(faces), 3))
    np.add.at(area, own, 0.5 * np.cross(points[corner], points[following]))
    unit = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)

    # Faces around each vertex, as rows filled up with a face of no area.
    order = np.argsort(corner, kind="stable")
    count = np.bincount(corner, minlength=len(points))
    place = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    around = np.full((len(points), count.max()), len(faces))
    around[corner[order], place] = own[order]
    area, unit = (np.concatenate([table, np.zeros((1, 3))]) for table in (area, unit))
    near = around[corner]
    alike = np.einsum("cfi,ci->cf", unit[near], unit[own]) > np.cos(_SMOOTH_ANGLE)
    total = np.einsum("cfi,cf->ci", area[near], alike.astype(float))
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-18)
