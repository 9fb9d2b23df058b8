# SPDX-License-Identifier: GPL-3.0-or-later
"""Hinge angles out of a clip's rotations, and whether they are within what hands can do."""

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGER_JOINTS
from . import anatomy, rotation
from .skeleton import HandSkeleton

Array = NDArray[np.float64]

_SLACK = np.radians(2.0)  # a limit is soft: two degrees beyond it are no violation
_CHAINS = np.array(FINGER_JOINTS)


def hinge_angles(skeleton: HandSkeleton, rotations: Array) -> Array:
    """Angles (T, 2, 5, 4) in radians of each finger's hinges: abduction of the first joint, flexion of all three.

    rotations: (T, 2, 16, 4) of a Clip. A first joint is taken as flexed, then abducted; what it twists is not looked at.
    """
    turns = rotation.to_matrix(rotations[:, :, _CHAINS].astype(float))  # (T, 2, 5, 3, 3, 3)
    bend = skeleton.flexion[:, _CHAINS]
    spread = skeleton.abduction[:, _CHAINS[:, 0]]
    result = np.zeros((*turns.shape[:3], 4))
    moved = (turns[..., 0, :, :] @ bend[:, :, 0, :, None])[..., 0]
    result[..., 0] = _angle(bend[:, :, 0], moved, spread)
    undo = rotation.to_matrix(rotation.from_axis_angle(-spread * result[..., :1]))
    for joint in range(3):
        turn = undo @ turns[..., 0, :, :] if joint == 0 else turns[..., joint, :, :]
        across = _across(bend[:, :, joint])
        result[..., joint + 1] = _angle(across, (turn @ across[..., None])[..., 0], bend[:, :, joint])
    return result


def violations(skeleton: HandSkeleton, rotations: Array) -> NDArray[np.bool_]:
    """(T, 2): whether any finger joint of a hand is beyond its range by more than two degrees."""
    angles = hinge_angles(skeleton, rotations)
    lowest, highest = hinge_ranges()
    return ((angles < lowest - _SLACK) | (angles > highest + _SLACK)).any(axis=(-1, -2))


def hinge_ranges() -> tuple[Array, Array]:
    """Lowest and highest angle (5, 4) of each hinge."""
    table = anatomy.hinge_map()
    fingers = [np.argmax(table[:, finger] > 0.0, axis=0) for finger in range(5)]
    share = np.stack([table[columns, finger, range(4)] for finger, columns in enumerate(fingers)])
    columns = np.stack(fingers)
    return anatomy.LOWEST[columns] * share, anatomy.HIGHEST[columns] * share


def _across(axis: Array) -> Array:
    """Some unit vectors at right angles to unit vectors (..., 3)."""
    other = np.where(np.abs(axis[..., 2:]) < 0.7, [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    across = np.cross(axis, other)
    # A joint that cannot bend has no axis.
    return across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-12)


def _angle(before: Array, after: Array, axis: Array) -> Array:
    """Signed angle about `axis` from `before` to `after` (vectors at right angles to it, or nearly)."""
    return np.arctan2(np.sum(np.cross(before, after) * axis, axis=-1), np.sum(before * after, axis=-1))
