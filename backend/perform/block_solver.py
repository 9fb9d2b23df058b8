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

_LOOK = 64  # frames between two looks


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
    """Solve for x (windows, frames, H, D), of two frames or more.

    blocks: (windows, frames, H, D, D) symmetric positive definite; smoothness: (D,) weights s; right: (windows, frames, H, D).
    `look` may raise.

    Frames are eliminated from both ends side by side, until two or three in the middle are left. Unknowns are scaled by sqrt(s),
    which makes 1 of what couples a frame with the next but one. Operations are few and large. Tried and left: inverses by blocks of
    8 rows (a third less time for them where there are 32 side by side, none where there are 8).
    """
    windows, frames, hands, size = right.shape
    shape = (2, windows, hands)
    ends = (frames - 2) // 2  # frames that are eliminated from each end
    scale = smoothness**-0.5
    square = scale[:, None] * scale
    blocks, right = np.moveaxis(blocks, 1, 0), np.moveaxis(right, 1, 0)
    main, first, second = second_difference_bands(frames)

    # From each end inwards: blocks with their right side as a last column. Two more take what elimination does to the middle.
    system = np.zeros((ends + 2, *shape, size, size + 1))
    for end, chosen in enumerate((slice(0, ends), slice(frames - 1, frames - 1 - ends, -1))):
        np.multiply(blocks[chosen], square, out=system[:ends, end, ..., :size])
        np.multiply(right[chosen], scale, out=system[:ends, end, ..., size])
    _diagonal(system[:ends, ..., :size])[:] += main[:ends, None, None, None, None]
    # x = alone - gain' [x of the next but one, x of the next]
    alone, gain = np.empty((ends, *shape, size, 1)), np.empty((ends, *shape, 2 * size, size))
    coupling = np.zeros((*shape, size, size + 1))  # with the next; the last column is for the right side
    on_diagonal = _diagonal(coupling[..., :size])
    for t in range(ends):
        if t % _LOOK == 0:
            look()
        on_diagonal += first[t]
        coupling[..., size] = system[t, ..., size]
        inverse, above = gain[t, ..., :size, :], gain[t, ..., size:, :]
        inexact = np.linalg.inv(system[t, ..., :size])
        # Without this the rounding errors' antisymmetric part grows from frame to frame until nothing is left of the solution.
        np.add(inexact, np.swapaxes(inexact, -1, -2), out=inverse)
        inverse *= 0.5
        np.matmul(np.swapaxes(coupling[..., :size], -1, -2), inverse, out=above)
        np.matmul(inverse, system[t, ..., size:], out=alone[t])
        system[t + 1] -= above @ coupling
        system[t + 2, ..., :size] -= inverse
        system[t + 2, ..., size:] -= alone[t]
        np.negative(above, out=coupling[..., :size])

    x = np.empty((frames, windows, hands, size, 1))
    middle = slice(ends, frames - ends)
    bands = main[middle], first[middle], second[middle]
    x[middle] = _solve_middle(bands, blocks[middle] * square, right[middle] * scale, system[ends:], coupling[..., :size])
    inner = np.concatenate([x[[ends + 1, frames - 2 - ends]], x[[ends, frames - 1 - ends]]], axis=-2)
    for t in range(ends - 1, -1, -1):
        here = alone[t] - np.swapaxes(gain[t], -1, -2) @ inner
        x[t], x[frames - 1 - t] = here
        inner = np.concatenate([inner[..., size:, :], here], axis=-2)
    return np.moveaxis(x[..., 0], 0, 1) * scale


def _diagonal(matrices: Array) -> Array:
    """A view of the diagonals (..., D) of matrices (..., D, D)."""
    return np.einsum("...ii->...i", matrices)


def _solve_middle(bands: tuple[Array, Array, Array], blocks: Array, right: Array, added: Array, coupling: Array) -> Array:
    """x (M, windows, H, D, 1) of the frames in the middle, M = 2 or 3.

    bands: (M,) each, of K. blocks: (M, windows, H, D, D) and right (M, windows, H, D), used up: their own. added
    (2, 2, windows, H, D, D + 1) and coupling (2, windows, H, D, D): what elimination did to the two frames next to each end.
    """
    count, windows, hands, size = right.shape
    main, first, second = bands
    upper = np.diag(first[: count - 1], 1) + np.diag(second[: count - 2], 2)
    smooth = np.diag(main) + upper + upper.T
    matrix = np.tile(smooth[:, None, :, None] * np.eye(size)[:, None], (windows, hands, 1, 1, 1, 1))
    for t in range(count):
        matrix[:, :, t, :, t] += blocks[t]
    for end, (near, far) in enumerate(((0, 1), (count - 1, count - 2))):
        for t, here in ((near, added[0, end]), (far, added[1, end])):
            matrix[:, :, t, :, t] += here[..., :size]
            right[t] += here[..., size]
        matrix[:, :, near, :, far] += coupling[end]
        matrix[:, :, far, :, near] += np.swapaxes(coupling[end], -1, -2)
    right = np.moveaxis(right, 0, 2).reshape(windows, hands, count * size, 1)
    x = np.linalg.solve(matrix.reshape(windows, hands, count * size, count * size), right)
    return np.moveaxis(x.reshape(windows, hands, count, size, 1), 2, 0)


def solve_diagonal(weights: Array, smoothness: Array, right: Array, look: Callable[[], None] = lambda: None) -> Array:
    """The same where every block is diagonal: weights (frames, N), smoothness (N,), right (frames, N) to x (frames, N).

    Time is cut into parts, each followed by a cut of two frames, as wide as what couples frames: parts are solved side by side for
    their right sides and for each frame of the cuts beside them; then the cuts, then what parts make of them. `look` may raise.
    """
    frames, columns = right.shape
    parts = max(int(np.sqrt(frames / 4)), 1)
    length = max(-(-frames // parts) - 2, 2)
    over = parts * (length + 2) - frames  # frames that are added: they are coupled with nothing

    def by_part(values: Array, filled: float = 0.0) -> Array:
        padded = np.pad(values, ((0, over), (0, 0)), constant_values=filled)
        return np.moveaxis(padded.reshape(parts, length + 2, columns), 0, 1)  # (frame, part, column)

    main, first, second = (by_part(band[:, None] * smoothness) for band in second_difference_bands(frames))
    pivot, wish = by_part(weights, 1.0) + main, by_part(right)
    # Right sides of a part: its own, and what couples it with the cut before (two) and after it (two).
    sides = np.zeros((length, 5, parts, columns))
    sides[:, 0] = wish[:length]
    sides[0, 1, 1:], sides[0, 2, 1:], sides[1, 2, 1:] = second[-2, :-1], first[-1, :-1], second[-1, :-1]
    sides[-2, 3], sides[-1, 3], sides[-1, 4] = second[length - 2], first[length - 1], second[length - 1]
    across = sides[:, 1:].copy()
    _eliminate(pivot[:length].copy(), first[:length].copy(), second[:length], sides, look)

    # Of all cuts: (column, 2 parts, 2 parts). A part adds to the cut before it and to its own.
    cuts = np.zeros((columns, 2 * parts + 2, 2 * parts + 2))
    known = np.zeros((columns, 2 * parts + 2))
    added = np.einsum("tcpn,tdpn->npcd", across, sides, optimize=True)  # (column, part, 4, 5)
    for part in range(parts):
        near = slice(2 * part, 2 * part + 4)
        cuts[:, near, near] -= added[:, part, :, 1:]
        known[:, near] -= added[:, part, :, 0]
    own = np.arange(2, 2 * parts + 2)
    cuts[:, own, own] += np.moveaxis(pivot[length:], 1, 0).reshape(2 * parts, columns).T
    cuts[:, own[::2], own[1::2]] += first[length].T
    cuts[:, own[1::2], own[::2]] += first[length].T
    known[:, own] += np.moveaxis(wish[length:], 1, 0).reshape(2 * parts, columns).T
    cut = np.zeros((columns, 2 * parts + 2))
    cut[:, 2:] = np.linalg.solve(cuts[:, 2:, 2:], known[:, 2:, None])[..., 0]

    x = np.empty((length + 2, parts, columns))
    beside = np.stack([cut[:, 2 * np.arange(parts) + step].T for step in range(4)])  # (4, part, column)
    x[:length] = sides[:, 0] - np.sum(sides[:, 1:] * beside, axis=1)
    x[length:] = beside[2:]
    return np.moveaxis(x, 1, 0).reshape(-1, columns)[:frames]


def _eliminate(pivot: Array, coupling: Array, second: Array, x: Array, look: Callable[[], None]) -> None:
    """Solve pentadiagonal systems whose diagonals these are, (frames, ...) each; pivot and coupling are used up.

    x (frames, K, ...): right sides, which become solutions.
    """
    frames = len(x)
    for t in range(frames - 1):
        if t % _LOOK == 0:
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
