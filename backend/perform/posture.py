# SPDX-License-Identifier: GPL-3.0-or-later
"""The posture of a hand ready to play: curved fingers, all fingertips on one level, for any skeleton."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy
from s2c_blender.motion.skeleton import HandSkeleton

from . import kinematics

Array = NDArray[np.float64]

# Degrees; curved fingers, back of the hand level or rising a little to the knuckles, turned out a little (the wrist stands
# some 2 cm to the thumb's side of the middle fingertip in the tracks of real pianists).
_CURVE = {
    "wrist abduction": -13.0,
    "wrist flexion": -6.0,
    "thumb1 abduction": 8.0,
    "thumb1 flexion": 0.0,
    "thumb2 flexion": 8.0,
    "thumb3 flexion": 12.0,
    "index1 abduction": 6.0,
    "pinky1 abduction": -11.0,
    "ring1 abduction": -4.0,
    **{f"{name}1 flexion": 24.0 for name in ("index", "middle", "ring", "pinky")},
    "index2 flexion": 34.0,
    "middle2 flexion": 37.0,
    "ring2 flexion": 35.0,
    "pinky2 flexion": 28.0,
}


@dataclass(frozen=True)
class Posture:
    """dofs: (H, D) with the wrist at x = y = 0 and the fingertips' lowest points at z = 0; reach: (H, 5, 3) those points."""

    dofs: Array
    reach: Array


def playing_posture(skeleton: HandSkeleton) -> Posture:
    dofs = np.zeros((1, 2, anatomy.DOFS))
    for name, angle in _CURVE.items():
        dofs[..., anatomy.index(name)] = np.radians(angle)
    bottom, _ = _bottoms(skeleton, dofs)
    dofs[..., 2] -= bottom[..., 1:4, 2].mean(axis=-1)
    for _ in range(12):  # bring each finger to z = 0 by its first joint
        bottom, posed = _bottoms(skeleton, dofs)
        slope = kinematics.jacobian(posed, bottom)[..., 2, :]
        for finger, columns in enumerate(anatomy.FINGER_DOFS):
            lever = slice(columns.start, columns.start + 2) if finger == 0 else slice(columns.start + 1, columns.start + 2)
            gain = slope[:, :, finger, lever]
            step = -gain * (bottom[:, :, finger, 2] / (np.sum(gain * gain, axis=-1) + 1e-6))[..., None]
            dofs[..., lever] += np.clip(step, -0.2, 0.2)
    bottom, _ = _bottoms(skeleton, dofs)
    return Posture(dofs[0], bottom[0])


def _bottoms(skeleton: HandSkeleton, dofs: Array) -> tuple[Array, kinematics.Posed]:
    posed = kinematics.pose(skeleton, dofs)
    bottom, _ = kinematics.lowest(skeleton, posed)
    return bottom, posed
