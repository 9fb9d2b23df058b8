# SPDX-License-Identifier: GPL-3.0-or-later
"""The block elimination gives what a dense solver gives."""

import numpy as np

from backend.perform import block_solver


def _system(windows: int, frames: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(windows, frames, size, size))
    blocks = factors @ np.swapaxes(factors, -1, -2) + 0.1 * np.eye(size)
    return blocks, rng.uniform(0.1, 50.0, size), rng.normal(size=(windows, frames, size))


def test_equals_a_dense_solve() -> None:
    blocks, smoothness, right = _system(3, 12, 4)
    differences = np.diff(np.eye(12), n=2, axis=0)
    expected = []
    for window in range(3):
        matrix = np.kron(differences.T @ differences, np.diag(smoothness))
        for frame in range(12):
            part = slice(4 * frame, 4 * frame + 4)
            matrix[part, part] += blocks[window, frame]
        expected.append(np.linalg.solve(matrix, right[window].ravel()).reshape(12, 4))
    np.testing.assert_allclose(block_solver.solve(blocks.copy(), smoothness, right.copy()), np.stack(expected), atol=1e-9)


def test_second_differences_applied_equal_the_matrix() -> None:
    values = np.random.default_rng(0).normal(size=(2, 9, 3))
    differences = np.diff(np.eye(9), n=2, axis=0)
    expected = np.einsum("ij,wjd->wid", differences.T @ differences, values)
    np.testing.assert_allclose(block_solver.apply_second_differences(values), expected, atol=1e-12)


def test_rounding_errors_do_not_grow_along_many_frames() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, 300, 5, 12)) * 1e3
    blocks = np.swapaxes(rows, -1, -2) @ rows + 10.0 * np.eye(12)
    right, smoothness = rng.normal(size=(2, 300, 12)), np.full(12, 500.0)
    found = block_solver.solve(blocks.copy(), smoothness, right.copy())
    left = np.einsum("wtij,wtj->wti", blocks, found) + smoothness * block_solver.apply_second_differences(found)
    np.testing.assert_allclose(left, right, atol=1e-6)


def test_numbers_that_do_not_meet_can_be_solved_one_by_one() -> None:
    random = np.random.default_rng(3)
    weight, right = random.uniform(0.1, 50.0, (2, 40, 3)), random.normal(size=(2, 40, 3))
    smoothness = np.array([0.5, 20.0, 900.0])
    blocks = np.zeros((2, 40, 3, 3))
    blocks[..., range(3), range(3)] = weight
    whole = block_solver.solve(blocks, smoothness, right.copy())
    np.testing.assert_allclose(block_solver.solve_each(weight, smoothness, right), whole, rtol=1e-7, atol=1e-10)
