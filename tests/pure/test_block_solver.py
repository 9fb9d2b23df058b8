# SPDX-License-Identifier: GPL-3.0-or-later
"""The block elimination gives what a dense solver gives."""

import numpy as np
import pytest

from backend.perform import block_solver


def _system(windows: int, frames: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(windows, frames, 2, size, size))
    blocks = factors @ np.swapaxes(factors, -1, -2) + 0.1 * np.eye(size)
    return blocks, rng.uniform(0.1, 50.0, size), rng.normal(size=(windows, frames, 2, size))


def test_equals_a_dense_solve() -> None:
    for frames in (2, 3, 4, 5, 12, 13):
        blocks, smoothness, right = _system(3, frames, 4)
        differences = np.diff(np.eye(frames), n=2, axis=0)
        expected = np.empty_like(right)
        for window, hand in np.ndindex(3, 2):
            matrix = np.kron(differences.T @ differences, np.diag(smoothness))
            for frame in range(frames):
                part = slice(4 * frame, 4 * frame + 4)
                matrix[part, part] += blocks[window, frame, hand]
            expected[window, :, hand] = np.linalg.solve(matrix, right[window, :, hand].ravel()).reshape(frames, 4)
        np.testing.assert_allclose(block_solver.solve(blocks, smoothness, right), expected, atol=1e-9)


def test_second_differences_applied_equal_the_matrix() -> None:
    values = np.random.default_rng(0).normal(size=(2, 9, 3))
    differences = np.diff(np.eye(9), n=2, axis=0)
    expected = np.einsum("ij,wjd->wid", differences.T @ differences, values)
    np.testing.assert_allclose(block_solver.apply_second_differences(values), expected, atol=1e-12)


def test_rounding_errors_do_not_grow_along_many_frames() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1, 300, 2, 5, 12)) * 1e3
    blocks = np.swapaxes(rows, -1, -2) @ rows + 10.0 * np.eye(12)
    right, smoothness = rng.normal(size=(1, 300, 2, 12)), np.full(12, 500.0)
    found = block_solver.solve(blocks, smoothness, right)
    left = (blocks @ found[..., None])[..., 0] + smoothness * block_solver.apply_second_differences(found)
    np.testing.assert_allclose(left, right, atol=1e-6)


@pytest.mark.parametrize("frames", [2, 3, 7, 40, 41, 300])
def test_diagonal_blocks_by_themselves_give_the_same(frames: int) -> None:
    rng = np.random.default_rng(5)
    weights, smoothness = rng.uniform(1e-3, 10.0, (frames, 4)), rng.uniform(0.1, 50.0, 4)
    right = rng.normal(size=(frames, 4))
    blocks = weights[None, :, None, :, None] * np.eye(4)
    expected = block_solver.solve(blocks, smoothness, right[None, :, None])[0, :, 0]
    np.testing.assert_allclose(block_solver.solve_diagonal(weights, smoothness, right), expected, rtol=1e-7)
