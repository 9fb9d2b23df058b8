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


def solve_each(weight: Array, smoothness: Array, right: Array, look: Callable[[], None] = lambda: None) -> Array:
    """The same for diagonal blocks, weight (windows, frames, D): every number by itself, many times faster for few of them."""
    frames = right.shape[1]
    main, first, second = (band.tolist() for band in second_difference_bands(frames))
    result = np.empty_like(right)
    for window, dof in np.ndindex(right.shape[0], right.shape[2]):
        look()
        stiff = float(smoothness[dof])
        pivots, near, far, values = [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]  # LDL', after two rows of nothing
        for t, (own, wish) in enumerate(zip(weight[window, :, dof].tolist(), right[window, :, dof].tolist(), strict=True)):
            bent = near[-1] * pivots[-1]
            pivot = own + stiff * main[t] - near[-1] * bent - far[-2] * far[-2] * pivots[-2]
            values.append(wish - near[-1] * values[-1] - far[-2] * values[-2])
            near.append((stiff * first[t] - far[-1] * bent) / pivot)
            far.append(stiff * second[t] / pivot)
            pivots.append(pivot)
        after, later = 0.0, 0.0
        for t in range(frames + 1, 1, -1):
            after, later = values[t] / pivots[t] - near[t] * after - far[t] * later, after
            values[t] = after
        result[window, :, dof] = values[2:]
    return result
