# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds of poses as mixtures of normal distributions, and how far one is from another (WGD)."""

import warnings
from dataclasses import dataclass

import numpy as np

from .measures import Array, frechet

COMPONENTS, AXES = 13, 10  # published
_BATCH, _ROUNDS = 16, 200


@dataclass(frozen=True)
class Mixture:
    """weights: (K,), means: (K, D), covariances: (K, D, D)."""

    weights: Array
    means: Array
    covariances: Array


def fit(cloud: Array) -> Mixture:
    """A mixture of samples (N, D), by expectation maximisation from k-means, always with the same chance."""
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hand that hardly moves gives fewer clusters, which is no fault
        made = GaussianMixture(n_components=COMPONENTS, random_state=0, max_iter=_ROUNDS).fit(cloud)
    return Mixture(made.weights_, made.means_, made.covariances_)


def own_axes(cloud: Array) -> Array:
    """(N, D) on its own ten principal axes, found batch by batch as the published code does."""
    from sklearn.decomposition import IncrementalPCA

    with np.errstate(invalid="ignore"):  # shares of no variance at all
        return IncrementalPCA(n_components=AXES, batch_size=_BATCH).fit_transform(cloud)


def principal_axes(cloud: Array) -> Array:
    """(D, 10) axes of the largest variance."""
    centred = cloud - cloud.mean(axis=0)
    return np.linalg.svd(centred, full_matrices=False)[2][:AXES].T


def transport_cost(weights: Array, other: Array, cost: Array) -> float:
    """The least cost of carrying one set of weights to another: (K,), (L,) and cost (K, L)."""
    from scipy.optimize import linprog

    rows, columns = cost.shape
    leave = np.kron(np.eye(rows), np.ones(columns))
    arrive = np.kron(np.ones(rows), np.eye(columns))
    demands = np.concatenate([weights / weights.sum(), other / other.sum()])
    found = linprog(cost.ravel(), A_eq=np.vstack([leave, arrive]), b_eq=demands, method="highs")
    return float(found.fun)


def wgd(real: Array, made: Array) -> float:
    """Wasserstein distance of mixtures (Delon & Desolneux 2020, "A Wasserstein-type distance in the space of Gaussian mixture
    models", proposition 4) of poses (N, 48), both on the recorded ones' axes; radians."""
    real, made = np.asarray(real, float), np.asarray(made, float)
    axes = principal_axes(real)
    first, second = fit(real @ axes), fit(made @ axes)
    cost = np.array(
        [
            [
                frechet((first.means[i], first.covariances[i]), (second.means[j], second.covariances[j]))
                for j in range(len(second.weights))
            ]
            for i in range(len(first.weights))
        ]
    )
    return float(np.sqrt(max(0.0, transport_cost(first.weights, second.weights, cost))))
