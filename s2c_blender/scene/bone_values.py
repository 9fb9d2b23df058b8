# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as values of a bone's own way of turning: quaternion, axis and angle, or Euler angles in any order."""

import bpy
import numpy as np
from mathutils import Euler, Quaternion
from numpy.typing import NDArray

from ..motion import rotation

Array = NDArray[np.float64]

ROTATIONS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}  # all other modes: rotation_euler


def channel_path(bone: str, name: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{name}'


def as_quaternion(values: Array | None, mode: str) -> Array:
    """A bone's rotation in its own mode, with the sign that it has; of Eulers and of nothing the sign is free."""
    if values is None or mode not in ROTATIONS:
        return rotation.IDENTITY
    return values if mode == "QUATERNION" else np.array([np.cos(0.5 * values[0]), *(np.sin(0.5 * values[0]) * values[1:])])


def in_mode(local: Array, mode: str, start: Array | None) -> Array:
    """Quaternions (T, 4) as values of a bone's rotation in its own mode, without jumps, nor one from `start`."""
    if mode == "QUATERNION":
        return local
    if mode == "AXIS_ANGLE":
        vector = rotation.to_axis_angle(local)
        angle = np.linalg.norm(vector, axis=-1, keepdims=True)
        return np.concatenate([angle, np.where(angle > 1e-9, vector / np.maximum(angle, 1e-9), [0.0, 1.0, 0.0])], axis=-1)
    angles = np.empty((len(local), 3))
    before = None if start is None else Euler(start, mode)
    for frame, quaternion in enumerate(local.tolist()):
        euler = Quaternion(quaternion).to_euler(mode, before) if before else Quaternion(quaternion).to_euler(mode)
        angles[frame] = euler
        before = euler
    return angles
