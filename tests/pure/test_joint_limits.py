# SPDX-License-Identifier: GPL-3.0-or-later
"""Angles read from a clip are those that made it."""

import numpy as np

from backend.perform import kinematics
from s2c_blender.motion import anatomy, joint_limits
from tests.skeletons import plain_skeleton


def test_angles_come_back() -> None:
    skeleton = plain_skeleton()
    dofs = np.random.default_rng(2).normal(scale=0.4, size=(6, 2, anatomy.DOFS))
    found = joint_limits.hinge_angles(skeleton, kinematics.to_rotations(skeleton, dofs))
    np.testing.assert_allclose(found, np.tensordot(dofs, anatomy.hinge_map(), axes=1), atol=1e-9)


def test_a_bent_back_finger_is_a_violation_of_that_hand_only() -> None:
    skeleton = plain_skeleton()
    dofs = np.zeros((2, 2, anatomy.DOFS))
    dofs[1, 1, anatomy.index("ring2 flexion")] = np.radians(-20)
    found = joint_limits.violations(skeleton, kinematics.to_rotations(skeleton, dofs))
    assert found.tolist() == [[False, False], [False, True]]


def test_the_distal_joint_has_two_thirds_of_its_neighbours_range() -> None:
    lowest, highest = joint_limits.hinge_ranges()
    np.testing.assert_allclose(highest[1, 3], highest[1, 2] * 2 / 3)
    assert (lowest < highest).all()
