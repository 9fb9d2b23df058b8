# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces of quads: one Catmull-Clark step, normals, and closing an open end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Subdivision:
    """vertices = stencil @ coarse vertices; `quads`, `uvs` (F, 4, 2) and the coarse `parent` face of each fine one."""

    stencil: Array
    quads: Index
    uvs: Array
    parent: Index


def subdivide(quads: Index, uvs: Array) -> Subdivision:
    """One step of Catmull and Clark (1978), with their rule for open edges, as a matrix that also carries weights along."""
    count, faces = quads.max() + 1, len(quads)
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1)  # (F, 4, 2)
    edges, edge_of = np.unique(np.sort(sides.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    edge_of = edge_of.reshape(faces, 4)
    uses = np.bincount(edge_of.ravel(), minlength=len(edges))

    corner = np.eye(count)
    face_points = corner[quads].mean(1)
    middles = corner[edges].mean(1)
    edge_points = middles.copy()
    around = np.zeros((len(edges), count))
    np.add.at(around, edge_of.ravel(), np.repeat(face_points, 4, axis=0))
    inner = uses == 2
    edge_points[inner] = 0.5 * middles[inner] + 0.25 * around[inner]

    valence = np.bincount(edges.ravel(), minlength=count)[:, None]
    face_sum, middle_sum = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(face_sum, quads.ravel(), np.repeat(face_points, 4, axis=0))
    np.add.at(middle_sum, edges.ravel(), np.repeat(middles, 2, axis=0))
    vertex_points = (face_sum / valence + 2.0 * middle_sum / valence + (valence - 3.0) * corner) / valence
    rim = np.zeros((count, count))
    np.add.at(rim, edges[~inner].ravel(), np.repeat(middles[~inner], 2, axis=0))
    border = np.unique(edges[~inner])
    vertex_points[border] = 0.25 * rim[border] + 0.5 * corner[border]

    middle = count + np.arange(faces)
    before, after = count + faces + np.roll(edge_of, 1, axis=1), count + faces + edge_of
    fine = np.stack([quads, after, np.broadcast_to(middle[:, None], quads.shape), before], axis=-1)
    half = 0.5 * (uvs + np.roll(uvs, -1, axis=1))
    centre = np.broadcast_to(uvs.mean(1, keepdims=True), uvs.shape)
    fine_uvs = np.stack([uvs, half, centre, np.roll(half, 1, axis=1)], axis=2)
    return Subdivision(
        stencil=np.concatenate([vertex_points, face_points, edge_points]),
        quads=fine.reshape(-1, 4),
        uvs=fine_uvs.reshape(-1, 4, 2),
        parent=np.repeat(np.arange(faces), 4),
    )


def face_normals(vertices: Array, quads: Index) -> Array:
    a, b, c, d = np.moveaxis(vertices[quads], 1, 0)
    normal = np.cross(c - a, d - b)
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def border_loop(quads: Index) -> Index:
    """The one open edge of a surface, as vertices in order, in the direction that a closing face has to follow."""
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    present = {(a, b) for a, b in sides.tolist()}
    following = {b: a for a, b in present if (b, a) not in present}
    start = next(iter(following))
    loop = [start]
    while following[loop[-1]] != start:
        loop.append(following[loop[-1]])
    if len(loop) != len(following):
        raise ValueError("the surface has more than one open edge")
    return np.array(loop)


def close(vertices: Array, quads: Index, loop: Index) -> tuple[Array, Index, Index]:
    """Round off the open end `loop` (an even number of vertices, facing -y).

    Returns the vertices with the new ones behind them, the new quads, and for each new vertex its nearest on the loop.
    """
    rim, count = vertices[loop], len(loop)
    centre = rim.mean(0)
    rings, like, faces = [], [], []
    previous = loop
    for shrink, depth in ((0.95, 0.0025), (0.80, 0.0055), (0.50, 0.0075)):
        ring = centre + shrink * (rim - centre) - np.array([0.0, depth, 0.0])
        number = len(vertices) + count * len(rings) + np.arange(count)
        faces += [[previous[i], previous[(i + 1) % count], number[(i + 1) % count], number[i]] for i in range(count)]
        rings.append(ring)
        like.append(loop)
        previous = number
    pole = len(vertices) + count * len(rings)
    faces += [[previous[i], previous[(i + 1) % count], previous[(i + 2) % count], pole] for i in range(0, count, 2)]
    points = np.concatenate([vertices, *rings, [centre - np.array([0.0, 0.008, 0.0])]])
    return points, np.array(faces), np.concatenate([*like, loop[:1]])
