# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward kinematics agree with the clip's own, derivatives with differences, mirrored poses with mirrored hands."""

import numpy as np

from backend.perform import kinematics
from s2c_blender.motion import anatomy
from s2c_blender.motion.skeleton import forward, pad_points
from s2c_blender.wire.hands import FINGER_JOINTS
from tests.skeletons import plain_skeleton


def _random_dofs(frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.3, size=(frames, 2, anatomy.DOFS))


def test_joint_places_equal_those_of_the_clip() -> None:
    skeleton, dofs = plain_skeleton(), _random_dofs(5)
    posed = kinematics.pose(skeleton, dofs)
    positions, _ = forward(skeleton, kinematics.to_rotations(skeleton, dofs), dofs[..., :3])
    np.testing.assert_allclose(posed.joints, positions[:, :, np.array(FINGER_JOINTS)], atol=1e-12)


def test_lowest_point_is_the_lowest_of_the_skin() -> None:
    skeleton, dofs = plain_skeleton(), _random_dofs(7)
    posed = kinematics.pose(skeleton, dofs)
    bottom, flanks = kinematics.lowest(skeleton, posed)
    points = pad_points(skeleton, kinematics.to_rotations(skeleton, dofs), dofs[..., :3])
    np.testing.assert_allclose(bottom[..., 2], points[..., 2].min(axis=-1), atol=1e-12)
    assert ((flanks.left <= bottom[..., 0]) & (bottom[..., 0] <= flanks.right)).all()


def test_jacobian_equals_differences() -> None:
    skeleton, dofs = plain_skeleton(), _random_dofs(3)
    for link in range(3):
        local = np.array([0.004, 0.011, -0.006])

        def points(dofs: np.ndarray, link: int = link, local: np.ndarray = local) -> np.ndarray:
            posed = kinematics.pose(skeleton, dofs)
            return posed.joints[..., link, :] + posed.turns[..., link, :, :] @ local

        exact = kinematics.jacobian(kinematics.pose(skeleton, dofs), points(dofs), link)
        for column in range(anatomy.DOFS):
            step = np.zeros(anatomy.DOFS)
            step[column] = 1e-6
            difference = (points(dofs + step) - points(dofs - step)) / 2e-6
            np.testing.assert_allclose(exact[..., column], difference, atol=1e-8)


def test_equal_numbers_give_mirrored_hands() -> None:
    skeleton, dofs = plain_skeleton(), _random_dofs(4)
    dofs[:, 1] = dofs[:, 0]
    dofs[:, 1, 0] *= -1.0
    posed = kinematics.pose(skeleton, dofs)
    np.testing.assert_allclose(posed.joints[:, 1], posed.joints[:, 0] * [-1, 1, 1], atol=1e-12)


def test_positive_angles_bend_down_and_spread_to_the_thumb() -> None:
    skeleton = plain_skeleton()
    flat = kinematics.pose(skeleton, np.zeros((1, 2, anatomy.DOFS)))
    for name, axis, sign in (("middle1 flexion", 2, -1), ("middle1 abduction", 0, -1), ("wrist flexion", 2, -1)):
        dofs = np.zeros((1, 2, anatomy.DOFS))
        dofs[..., anatomy.index(name)] = 0.3
        moved = (kinematics.pose(skeleton, dofs).joints - flat.joints)[0, 0, 2, 2]
        assert moved[axis] * sign > 0.005


def test_rows_of_chosen_points_are_the_jacobian_along_their_directions() -> None:
    skeleton, dofs, rng = plain_skeleton(), _random_dofs(3), np.random.default_rng(1)
    posed = kinematics.pose(skeleton, dofs)
    for link in range(3):
        points = posed.joints[..., link, :] + 0.01
        whole = kinematics.jacobian(posed, points, link)
        where = (np.array([0, 2, 1]), np.array([1, 0, 1]), np.array([0, 3, 4]))
        direction = rng.normal(size=(3, 3))
        rows = kinematics.rows_at(posed, where, points[where], np.full(3, link), direction)
        np.testing.assert_allclose(rows, (direction[:, None] @ whole[where])[:, 0], atol=1e-12)
