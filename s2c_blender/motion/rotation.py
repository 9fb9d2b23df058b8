# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as unit quaternions (..., 4) in the order w, x, y, z, Blender's own."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def multiply(a: Array, b: Array) -> Array:
    """Hamilton product: b first, then a. (..., 4) x (..., 4)."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    w = aw * bw - np.sum(av * bv, axis=-1, keepdims=True)
    return np.concatenate([w, aw * bv + bw * av + np.cross(av, bv)], axis=-1)


def conjugate(q: Array) -> Array:
    return q * np.array([1.0, -1.0, -1.0, -1.0], dtype=q.dtype)


def normalize(q: Array) -> Array:
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def rotate(q: Array, vector: Array) -> Array:
    """Turn vectors (..., 3) by q (..., 4)."""
    u = q[..., 1:]
    t = 2.0 * np.cross(u, vector)
    return vector + q[..., :1] * t + np.cross(u, t)


def from_axis_angle(vector: ArrayLike) -> Array:
    """Rotation vectors (..., 3) in radians."""
    vector = np.asarray(vector, dtype=float)
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.concatenate([np.cos(0.5 * angle), 0.5 * np.sinc(angle / (2.0 * np.pi)) * vector], axis=-1)


def to_axis_angle(q: Array) -> Array:
    """Rotation vectors (..., 3) of length at most pi."""
    q = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def to_matrix(q: Array) -> Array:
    """(..., 4) to (..., 3, 3)."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(matrix: Array) -> Array:
    """(..., 3, 3) to (..., 4), by the largest component (Shepperd 1978)."""
    m = np.asarray(matrix)
    d = np.moveaxis(np.diagonal(m, axis1=-2, axis2=-1), -1, 0)
    trace = d.sum(axis=0)
    # Four times the outer product q q^T; its row with the largest diagonal is q times its largest component.
    k = np.empty((*m.shape[:-2], 4, 4), dtype=m.dtype)
    k[..., 0, 0] = 1.0 + trace
    for i in range(3):
        j, l = (i + 1) % 3, (i + 2) % 3
        k[..., i + 1, i + 1] = 1.0 + 2.0 * d[i] - trace
        k[..., 0, i + 1] = k[..., i + 1, 0] = m[..., l, j] - m[..., j, l]
        k[..., j + 1, l + 1] = k[..., l + 1, j + 1] = m[..., j, l] + m[..., l, j]
    best = np.argmax(np.diagonal(k, axis1=-2, axis2=-1), axis=-1)
    row = np.take_along_axis(k, best[..., None, None], axis=-2)[..., 0, :]
    return normalize(row)


def continuous(q: Array) -> Array:
    """Flip signs along the first axis so that neighbours lie on the same half of the sphere (for interpolation)."""
    flips = np.where(np.sum(q[1:] * q[:-1], axis=-1, keepdims=True) < 0.0, -1.0, 1.0)
    signs = np.concatenate([np.ones_like(q[:1, ..., :1]), np.cumprod(flips, axis=0)]) if len(q) else q[..., :1]
    return q * signs.astype(q.dtype)


def mirror(q: Array) -> Array:
    """The same rotation seen in the mirror x -> -x (one hand's pose on the other)."""
    return q * np.array([1.0, 1.0, -1.0, -1.0], dtype=q.dtype)
