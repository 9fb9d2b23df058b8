# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures as the published evaluation defines them, quirks and all, so that numbers can be set beside the paper's.

`QUIRKS` says what is odd; `measures` and `mixtures` hold the same put right.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from . import mixtures

Array = NDArray[np.floating]

QUIRKS = {
    "fid": "in single precision, covariances from raw moments",
    "fgd": "by scipy's matrix root, which is rough where there are fewer clips than the 256 features",
    "wgd": "each cloud on principal axes of its own, means of mixtures compared across them, divided by the largest distance",
    "distance": "frames on which no hand was seen count too",
    "smoothness": "an acceleration that takes the last value off each, not the one before",
}


def fid(real: Array, made: Array) -> float:
    """Poses (N, D) of one clip each; everything in single precision."""
    moments = [_raw_moments(np.asarray(cloud, np.float32)) for cloud in (made, real)]
    (mean, covariance), (other_mean, other) = moments
    roots = np.sqrt(np.linalg.eigvals(covariance @ other).astype(np.complex64)).real.sum()
    trace = np.trace(covariance) + np.trace(other)
    return float(np.square(mean - other_mean).sum() + trace - np.float32(2) * roots)


def _raw_moments(cloud: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    count, mean = np.float32(len(cloud)), cloud.mean(axis=0)
    spread = cloud.T @ cloud - count * np.outer(mean, mean)
    return mean, spread / (count - np.float32(1))


def wgd(real: Array, made: Array) -> float:
    """0 to 1."""
    first, second = (mixtures.fit(mixtures.own_axes(np.asarray(cloud))) for cloud in (real, made))
    cost = np.linalg.norm(first.means[:, None] - second.means[None], axis=-1)
    cost = cost / cost.max()
    return mixtures.transport_cost(first.weights, second.weights, cost)


def distance(real: Array, made: Array) -> float:
    """Positions (N, 3): over x and y."""
    return float(np.mean(np.sqrt(np.square(real[:, :2] - made[:, :2]).sum(axis=1))))


def acceleration(pose: Array) -> Array:
    """(N - 2,) of poses (N, D)."""
    speed = np.sqrt(np.square(pose[:-1] - pose[-1:]).sum(axis=1))
    return speed[:-1] - speed[-1:]


def smoothness(real: Array, made: Array) -> float:
    return float(abs(acceleration(made).mean() - acceleration(real).mean()))


def fgd(real: Array, made: Array) -> float:
    """Frechet distance of clips' features (clips, D)."""
    from scipy import linalg

    (mean, covariance), (other_mean, other) = (
        (values.mean(axis=0), np.cov(values, rowvar=False)) for values in (np.asarray(real), np.asarray(made))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of singular matrices: `QUIRKS` names it
        root = linalg.sqrtm(covariance @ other)
    if not np.isfinite(root).all():
        more = 1e-6 * np.eye(len(covariance))
        root = linalg.sqrtm((covariance + more) @ (other + more))
    trace = np.trace(covariance) + np.trace(other) - 2 * np.trace(np.real(root))
    return float(np.square(mean - other_mean).sum() + trace)


def feature_distance(real: Array, made: Array) -> float:
    """Mean over clips of the sum of absolute differences of their features."""
    return float(np.abs(np.asarray(real) - made).sum(axis=1).mean())
