# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear systems that are dense within a frame and smooth over frames, solved in time linear in the frames.

The matrix is  blockdiag(A_t) + K (x) diag(s),  K the pentadiagonal matrix of squared second differences: what Gauss-Newton
makes of a motion with terms per frame and one on acceleration. Frames are eliminated in order (a block LDL' factorisation),
many windows side by side.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def second_difference_bands(frames: int) -> tuple[Array, Array, Array]:
    """Diagonals 0, 1, 2 of K = D'D, D the (frames - 2, frames) matrix of second differences."""
    main, first, second = np.zeros(frames), np.zeros(frames), np.zeros(frames)
    for offset, weight in enumerate((1.0, -2.0, 1.0)):
        main[offset : frames - 2 + offset] += weight * weight
    first[: frames - 2] += -2.0
    first[1 : frames - 1] += -2.0
    second[: frames - 2] = 1.0
    return main, first, second


def apply_second_differences(values: Array) -> Array:
    """K v along axis 1 of values (windows, frames, D)."""
    curvature = np.diff(values, n=2, axis=1)
    result = np.zeros_like(values)
    result[:, :-2] += curvature
    result[:, 1:-1] -= 2.0 * curvature
    result[:, 2:] += curvature
    return result


def solve(blocks: Array, smoothness: Array, right: Array, look: Callable[[], None] = lambda: None) -> Array:
    """Solve for x (windows, frames, D).

    blocks: (windows, frames, D, D) symmetric positive definite, used up; smoothness: (D,) weights s;
    right: (windows, frames, D), used up. `look` is called every now and then and may raise, to stop.
    """
    windows, frames, size = right.shape
    main, first, second = (band[:, None] * smoothness for band in second_difference_bands(frames))
    diagonal = np.arange(size)
    blocks[:, :, diagonal, diagonal] += main
    inverse = np.empty((frames, windows, size, size))
    coupling = np.zeros((frames, windows, size, size))  # with the next frame; elimination fills it in
    coupling[:, :, diagonal, diagonal] = first[:, None]
    vector = np.moveaxis(right, 1, 0)[..., None].copy()
    for t in range(frames):
        if t % 64 == 0:
            look()
        inverse[t] = np.linalg.inv(blocks[:, t])
        # Without this the rounding errors' antisymmetric part grows from frame to frame until nothing is left of the solution.
        inverse[t] = 0.5 * (inverse[t] + np.swapaxes(inverse[t], -1, -2))
        if t + 1 == frames:
            break
        above = np.swapaxes(coupling[t], -1, -2) @ inverse[t]
        blocks[:, t + 1] -= above @ coupling[t]
        vector[t + 1] -= above @ vector[t]
        if t + 2 < frames:
            coupling[t + 1] -= above * second[t]
            blocks[:, t + 2] -= second[t][:, None] * inverse[t] * second[t]
            vector[t + 2] -= second[t][:, None] * (inverse[t] @ vector[t])
    for t in range(frames - 1, -1, -1):
        if t % 64 == 0:
            look()
        if t + 1 < frames:
            vector[t] -= coupling[t] @ vector[t + 1]
        if t + 2 < frames:
            vector[t] -= second[t][:, None] * vector[t + 2]
        vector[t] = inverse[t] @ vector[t]
    return np.moveaxis(vector[..., 0], 0, 1)


def solve_diagonal(weights: Array, smoothness: Array, right: Array, look: Callable[[], None] = lambda: None) -> Array:
    """The same where every block is diagonal: weights (frames, N), smoothness (N,), right (frames, N) to x (frames, N)."""
    frames, _ = right.shape
    main, first, second = (band[:, None] * smoothness for band in second_difference_bands(frames))
    pivot, coupling, x = weights + main, first, right.copy()
    for t in range(frames - 1):
        if t % 1024 == 0:
            look()
        near, far = coupling[t] / pivot[t], second[t] / pivot[t]
        pivot[t + 1] -= near * coupling[t]
        x[t + 1] -= near * x[t]
        if t + 2 < frames:
            coupling[t + 1] -= near * second[t]
            pivot[t + 2] -= far * second[t]
            x[t + 2] -= far * x[t]
    x[-1] /= pivot[-1]
    for t in range(frames - 2, -1, -1):
        x[t] -= coupling[t] * x[t + 1]
        if t + 2 < frames:
            x[t] -= second[t] * x[t + 2]
        x[t] /= pivot[t]
    return x
