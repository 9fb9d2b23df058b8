# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures of one hand's motion against the recorded one, put right: double precision, one basis, true acceleration. NumPy only.

Poses are (N, 48) rotation vectors in radians, positions (N, 3).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def gaussian(samples: Array) -> tuple[Array, Array]:
    """Mean (D,) and covariance (D, D) of samples (N, D), double precision."""
    values = np.asarray(samples, float)
    return values.mean(axis=0), np.atleast_2d(np.cov(values, rowvar=False))


def frechet(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """Squared Frechet distance of two normal distributions (Dowson & Landau 1982); never negative."""
    mean, covariance = first
    other_mean, other = second
    root = _square_root(covariance)
    cross = np.linalg.eigvalsh(root @ other @ root)
    trace = np.trace(covariance) + np.trace(other) - 2 * np.sqrt(np.maximum(cross, 0)).sum()
    return max(0.0, float(np.square(mean - other_mean).sum() + trace))


def _square_root(matrix: Array) -> Array:
    """Of a symmetric matrix without negative eigenvalues, but for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T, float)


def fid(real: Array, made: Array) -> float:
    """Frechet distance of the poses of two clips (N, D)."""
    return frechet(gaussian(real), gaussian(made))


def distance(real: Array, made: Array, visible: NDArray[np.bool_]) -> float:
    """Mean distance of positions across and along the keys (x and y), where the hand was seen; nan where it never was."""
    apart = np.linalg.norm(np.asarray(real, float)[:, :2] - made[:, :2], axis=1)[visible]
    return float(apart.mean()) if len(apart) else float("nan")


def accelerations(pose: Array) -> Array:
    """(N - 2,) lengths of the second differences of poses (N, D): radians a frame and frame."""
    return np.linalg.norm(np.diff(np.asarray(pose, float), n=2, axis=0), axis=1)


def smoothness(real: Array, made: Array) -> float:
    """Difference of the accelerations' mean lengths: 0 is as smooth as recorded."""
    return float(abs(accelerations(made).mean() - accelerations(real).mean()))
