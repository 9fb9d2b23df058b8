# SPDX-License-Identifier: GPL-3.0-or-later
"""A hand's pose vector to joint places, and back to a Clip's quaternions; derivatives in closed form.

Shapes: F frames, axis H of hands (2, `HandSide`), degrees of freedom D as in `motion.anatomy`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy, rotation
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import FINGER_JOINTS
from s2c_blender.wire.keyboard import BLACK_FRONT

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_HINGES = anatomy.hinge_map()
_OF_FINGER = np.ascontiguousarray(np.moveaxis(_HINGES, 1, 0))  # (5, D, 4)
# Wrist turns: abduction to the thumb's side, flexion (fingertips down), supination (thumb's side up); right hand, left hand.
_WRIST_AXES = np.array([[[0, 0, 1], [-1, 0, 0], [0, 1, 0]], [[0, 0, -1], [-1, 0, 0], [0, -1, 0]]], dtype=float)
_CHAINS = np.array(FINGER_JOINTS)
_ORIGINS = np.array([0, 0, 1, 2])  # joints of a finger's four hinges
_WHITE_BAND, _BLACK_BAND = 0.009, 0.020  # how far a finger's flanks reach down beside white neighbours, beside black ones
_FAR = np.float32(1000.0)  # metres, of what is not there
_BLACK_REACH = BLACK_FRONT - 0.003  # y from which on a point can meet a black key's flank


def _turns(axes: Array, angles: Array) -> Array:
    """Rotation matrices (F, ..., 3, 3) about unit axes (..., 3) by angles (F, ...) (Rodrigues)."""
    x, y, z = axes[..., 0], axes[..., 1], axes[..., 2]
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    parts = np.stack([np.broadcast_to(np.eye(3), skew.shape), skew, skew @ skew], axis=-3).reshape(*x.shape, 3, 9)
    shares = np.stack([np.ones_like(angles), np.sin(angles), 1.0 - np.cos(angles)], axis=-1)
    turns = np.moveaxis(shares, 0, -2) @ parts  # (..., F, 9): for each axis one product
    return np.moveaxis(turns, -2, 0).reshape(*angles.shape, 3, 3)


@dataclass(frozen=True)
class Posed:
    """Where everything is with degrees of freedom `dofs` (F, H, D).

    wrist: (F, H, 3). wrist_axes: (F, H, 3, 3) axes of the wrist's three turns, in space. wrist_turn: (F, H, 3, 3).
    joints: (F, H, 5, 3, 3) places of each finger's three joints. turns: (F, H, 5, 3, 3, 3) their rotations in space.
    axes: (F, H, 5, 4, 3) axes of the four hinges in space.
    """

    dofs: Array
    wrist: Array
    wrist_axes: Array
    wrist_turn: Array
    joints: Array
    turns: Array
    axes: Array

    @property
    def distal(self) -> Array:
        return self.turns[..., 2, :, :]


def pose(skeleton: HandSkeleton, dofs: Array) -> Posed:
    """Forward kinematics of dofs (F, H, D)."""
    angles = np.tensordot(dofs, _HINGES, axes=1)  # (F, H, 5, 4)
    wrist = dofs[..., :3]
    yaw, pitch, roll = np.moveaxis(_turns(_WRIST_AXES, dofs[..., 3:6]), 2, 0)
    tilted = yaw @ pitch
    turn = tilted @ roll
    wrist_axes = np.stack(
        [
            np.broadcast_to(_WRIST_AXES[:, 0], wrist.shape),
            (yaw @ _WRIST_AXES[:, 1, :, None])[..., 0],
            (tilted @ _WRIST_AXES[:, 2, :, None])[..., 0],
        ],
        axis=-2,
    )
    rest = skeleton.rest[:, _CHAINS]  # (H, 5, 3, 3)
    hinges = np.concatenate([skeleton.abduction[:, _CHAINS[:, :1]], skeleton.flexion[:, _CHAINS]], axis=2)  # (H, 5, 4, 3)
    local = _turns(hinges, angles)
    joints = np.empty((*dofs.shape[:2], 5, 3, 3))
    turns = np.empty((*dofs.shape[:2], 5, 3, 3, 3))
    axes = np.empty((*dofs.shape[:2], 5, 4, 3))
    palm = turn[:, :, None]
    joints[..., 0, :] = wrist[:, :, None] + (palm @ rest[:, :, 0, :, None])[..., 0]
    axes[..., 0, :] = (palm @ hinges[:, :, 0, :, None])[..., 0]
    before = palm @ local[..., 0, :, :]
    for k in range(3):
        axes[..., k + 1, :] = (before @ hinges[:, :, k + 1, :, None])[..., 0]
        before = turns[..., k, :, :] = before @ local[..., k + 1, :, :]
        if k < 2:
            bone = rest[:, :, k + 1] - rest[:, :, k]
            joints[..., k + 1, :] = joints[..., k, :] + (before @ bone[..., None])[..., 0]
    return Posed(dofs, wrist, wrist_axes, turn, joints, turns, axes)


def on_the_way(skeleton: HandSkeleton, posed: Posed, frame: Index, share: Array | float) -> Posed:
    """At `share` (M,) of the way from frames (M,) to the next."""
    here, there = posed.dofs[frame], posed.dofs[frame + 1]
    return pose(skeleton, here + np.reshape(share, (-1, 1, 1)) * (there - here))


def jacobian(posed: Posed, points: Array, link: int = 2) -> Array:
    """Derivative (F, H, 5, 3, D) of points (F, H, 5, 3), one on each finger's phalanx `link` (0 proximal to 2 distal)."""
    result = np.zeros((*points.shape, anatomy.DOFS))
    result[..., 0, 0] = result[..., 1, 1] = result[..., 2, 2] = 1.0
    from_wrist = points - posed.wrist[:, :, None]
    result[..., 3:6] = np.swapaxes(_cross(posed.wrist_axes[:, :, None], from_wrist[..., None, :]), -1, -2)
    swing = _cross(posed.axes, points[..., None, :] - posed.joints.take(_ORIGINS, axis=-2))  # (F, H, 5, 4, 3)
    swing[..., link + 2 :, :] = 0.0
    for finger, columns in enumerate(anatomy.FINGER_DOFS):
        result[:, :, finger, :, columns] = np.swapaxes(swing[:, :, finger], -1, -2) @ _HINGES[columns, finger].T
    return result


def rows_at(posed: Posed, where: tuple[Index, Index, Index], points: Array, link: Index, direction: Array) -> Array:
    """(M, D): how far chosen points (M, 3) on phalanges `link` (M,) go along directions (M, 3), or one (3,), with each degree of
    freedom. where: frame, hand, finger (M,) each."""
    frame, hand, finger = where
    along_wrist = _cross(points - posed.wrist[frame, hand], direction)
    lever = points[:, None] - posed.joints[frame, hand, finger].take(_ORIGINS, axis=1)
    swing = np.sum(posed.axes[frame, hand, finger] * _cross(lever, direction[..., None, :]), axis=-1)  # (M, 4)
    swing *= np.arange(4) < link[:, None] + 2
    result = (_OF_FINGER[finger] @ swing[..., None])[..., 0]
    result[:, :3] = direction
    result[:, 3:6] = (posed.wrist_axes[frame, hand] @ along_wrist[..., None])[..., 0]
    return result


def _cross(a: Array, b: Array) -> Array:
    """The vector product of (..., 3): `np.cross`, but several times as fast where there are few."""
    (ax, ay, az), (bx, by, bz) = ((v[..., 0], v[..., 1], v[..., 2]) for v in (a, b))
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def to_rotations(skeleton: HandSkeleton, dofs: Array) -> Array:
    """Joint quaternions (F, H, 16, 4) of a Clip from dofs (F, H, D)."""
    angles = np.tensordot(dofs, _HINGES, axes=1)
    result = np.empty((*dofs.shape[:2], 16, 4))
    yaw, pitch, roll = (rotation.from_axis_angle(_WRIST_AXES[:, i] * dofs[..., 3 + i, None]) for i in range(3))
    result[:, :, 0] = rotation.multiply(rotation.multiply(yaw, pitch), roll)
    flexion, abduction = skeleton.flexion[:, _CHAINS], skeleton.abduction[:, _CHAINS[:, 0]]
    for k in range(3):
        bend = rotation.from_axis_angle(flexion[:, :, k] * angles[..., k + 1, None])
        if k == 0:
            bend = rotation.multiply(rotation.from_axis_angle(abduction * angles[..., 0, None]), bend)
        result[:, :, _CHAINS[:, k]] = bend
    return result


@dataclass(frozen=True)
class Flanks:
    """How far fingertips reach sideways, x (F, H, 5) each: beside white keys; beside black ones (where there are none, a
    kilometre to the other side)."""

    left: Array
    right: Array
    inner_left: Array
    inner_right: Array


def lowest(skeleton: HandSkeleton, posed: Posed, surface: Callable[[Array], Array] = np.zeros_like) -> tuple[Array, Flanks]:
    """The point (F, H, 5, 3) of each fingertip's skin that is nearest above the keys, and its flanks, as far up as they go below
    the neighbouring keys' tops when this key is down. surface(y) is the keys' height for points (H, 5, P, F).
    """
    # Single precision, places from the joint on: they are compared, and only the chosen one is taken exactly.
    # Frames last (H, 5, P, 3, F): what is compared of all points lies together in memory.
    joints = posed.joints[..., 2, :]
    turns = np.moveaxis(posed.distal, (0, -1), (-1, 2)).astype(np.float32, order="C")  # (H, 5, from, to, F)
    points = skeleton.pads.astype(np.float32) @ turns.reshape(2, 5, 3, -1)
    points = points.reshape(*points.shape[:3], *turns.shape[3:])
    x, height = points[..., 0, :], points[..., 2, :]
    y = points[..., 1, :] + np.moveaxis(joints[..., 1], 0, -1)[:, :, None].astype(np.float32)
    above = np.moveaxis(height - surface(y), 2, -1)
    first = np.moveaxis(np.argmin(np.ascontiguousarray(above), axis=-1), -1, 0)  # (F, H, 5)
    hand, finger = np.ix_(range(2), range(5))
    bottom = joints + (posed.distal @ skeleton.pads[hand, finger, first][..., None])[..., 0]
    level = np.take_along_axis(height, np.moveaxis(first, 0, -1)[:, :, None], axis=2)
    high = height >= level + np.float32(_WHITE_BAND)
    outer = (height >= level + np.float32(_BLACK_BAND)) | (y <= np.float32(_BLACK_REACH))
    place = joints[..., 0]
    # What does not count is moved out of the way: several times as fast as to choose.
    away, inner_away = (_FAR * left_out for left_out in (high, outer))
    least = [np.moveaxis(moved.min(axis=2), -1, 0) for moved in (x + away, x + inner_away)]
    most = [np.moveaxis(moved.max(axis=2), -1, 0) for moved in (x - away, x - inner_away)]
    return bottom, Flanks(left=place + least[0], right=place + most[0], inner_left=place + least[1], inner_right=place + most[1])


def from_rotations(skeleton: HandSkeleton, rotations: Array) -> Array:
    """The dofs (F, H, D - 3), without the wrist's place, that come nearest to joint quaternions (F, H, 16, 4): `to_rotations` back.

    What a joint does about axes that it has not is left out; the two last joints of a long finger share one number.
    """
    result = np.zeros((*rotations.shape[:2], anatomy.DOFS))
    result[..., 3:6] = _wrist_angles(rotation.to_matrix(rotations[:, :, 0]))
    flexion, abduction = skeleton.flexion[:, _CHAINS], skeleton.abduction[:, _CHAINS[:, 0]]
    first = rotation.to_matrix(rotations[:, :, _CHAINS[:, 0]])
    # In the base of (along, flexion, abduction): first the bend, then the spread.
    base = np.stack([np.cross(flexion[:, :, 0], abduction), flexion[:, :, 0], abduction], axis=-1)
    local = np.swapaxes(base, -1, -2) @ first @ base
    spread = np.arctan2(local[..., 1, 0], local[..., 0, 0])
    bend = np.arctan2(-local[..., 2, 0], np.hypot(local[..., 0, 0], local[..., 1, 0]))
    later = [_turn_about(rotations[:, :, _CHAINS[:, k]], flexion[:, :, k]) for k in (1, 2)]
    share = anatomy.DISTAL_SHARE
    for finger, columns in enumerate(anatomy.FINGER_DOFS):
        middle, last = later[0][..., finger], later[1][..., finger]
        own = [spread[..., finger], bend[..., finger]]
        own += [middle, last] if finger == 0 else [(middle + share * last) / (1.0 + share * share)]
        result[..., columns] = np.stack(own, axis=-1)
    return result[..., 3:]


def _wrist_angles(turns: Array) -> Array:
    """Abduction, flexion, supination (F, H, 3) of matrices (F, H, 3, 3) that are yaw, then pitch, then roll."""
    sign = np.array([1.0, -1.0])
    yaw: Array = np.arctan2(-turns[..., 0, 1], turns[..., 1, 1])
    pitch = np.arctan2(turns[..., 2, 1], np.hypot(turns[..., 0, 1], turns[..., 1, 1]))
    roll = np.arctan2(-turns[..., 2, 0], turns[..., 2, 2])
    return np.stack([np.multiply(sign, yaw), np.negative(pitch), np.multiply(sign, roll)], axis=-1)


def _turn_about(turns: Array, axes: Array) -> Array:
    """The angle (...) by which quaternions (..., 4) turn about unit axes: the twist of their swing and twist."""
    sign: Array = np.where(turns[..., 0] < 0.0, -1.0, 1.0)
    along: Array = np.sum(turns[..., 1:] * axes, axis=-1)
    half: Array = np.arctan2(sign * along, sign * turns[..., 0])
    return 2.0 * half
