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
# What curves with the fingers' middle joints, as a share of their turn: knuckles give back some, the thumb bends with them.
_CURL_SHARES = {
    **{f"{name}1 flexion": -0.3 for name in ("index", "middle", "ring", "pinky")},
    **{f"{name}2 flexion": 1.0 for name in ("index", "middle", "ring", "pinky")},
    "thumb2 flexion": 0.6,
    "thumb3 flexion": 0.8,
}
_REACH = 0.1534  # metres from wrist to middle fingertip of the usual hand: larger ones curve, smaller ones stretch, towards it
_CURL_PER_METRE = 700.0  # degrees
_LEAST_CURL, _MOST_CURL = -22.0, 22.0
_LEVEL = 1e-5  # metres: fingertips are on one level


@dataclass(frozen=True)
class Posture:
    """dofs: (H, D) with the wrist at x = y = 0 and the fingertips' lowest points at z = 0; reach: (H, 5, 3) those points, and
    gain: (H, 5, 3, D) how each degree of freedom moves them."""

    dofs: Array
    reach: Array
    gain: Array

    def fingertips(self, dofs: Array) -> Array:
        """The lowest points (F, H, 5, 3) of fingertips in poses (F, H, D) not far from this one, to first order."""
        return self.reach + (self.gain @ (dofs - self.dofs)[:, :, None, :, None])[..., 0]


def playing_posture(skeleton: HandSkeleton, *, curl: float = 0.0) -> Posture:
    """curl: degrees by which the fingers are more curved than is usual for a hand of this size."""
    length = np.linalg.norm(_level(skeleton, 0.0).reach[:, 2, :2], axis=-1).mean()
    curl += _CURL_PER_METRE * float(length - _REACH)
    return _level(skeleton, float(np.clip(curl, _LEAST_CURL, _MOST_CURL)))


def _level(skeleton: HandSkeleton, curl: float) -> Posture:
    """Fingertips on one level, the fingers curled by so many degrees."""
    dofs = np.zeros((1, 2, anatomy.DOFS))
    for name, angle in _CURVE.items():
        dofs[..., anatomy.index(name)] = np.radians(angle + curl * _CURL_SHARES.get(name, 0.0))
    bottom, _ = _bottoms(skeleton, dofs)
    dofs[..., 2] -= bottom[..., 1:4, 2].mean(axis=-1)
    for _ in range(12):  # bring each finger to z = 0 by its first joint
        bottom, posed = _bottoms(skeleton, dofs)
        if np.abs(bottom[..., 2]).max() < _LEVEL:
            break
        slope = kinematics.jacobian(posed, bottom)[..., 2, :]
        for finger, columns in enumerate(anatomy.FINGER_DOFS):
            lever = slice(columns.start, columns.start + 2) if finger == 0 else slice(columns.start + 1, columns.start + 2)
            gain = slope[:, :, finger, lever]
            step = -gain * (bottom[:, :, finger, 2] / (np.sum(gain * gain, axis=-1) + 1e-6))[..., None]
            dofs[..., lever] += np.clip(step, -0.2, 0.2)
    bottom, posed = _bottoms(skeleton, dofs)
    return Posture(dofs[0], bottom[0], kinematics.jacobian(posed, bottom)[0])


def _bottoms(skeleton: HandSkeleton, dofs: Array) -> tuple[Array, kinematics.Posed]:
    posed = kinematics.pose(skeleton, dofs)
    bottom, _ = kinematics.lowest(skeleton, posed)
    return bottom, posed
