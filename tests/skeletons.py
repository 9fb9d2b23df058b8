# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands for tests, made from a few lengths: no file, any proportions."""

import numpy as np

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import FINGER_JOINTS

# Knuckle place and phalanx lengths (metres) of a right hand of 22 cm span, roughly after Buryanov & Kotiuk 2010.
_KNUCKLES = ((-0.022, 0.025), (-0.024, 0.088), (-0.002, 0.092), (0.018, 0.086), (0.036, 0.076))
_PHALANGES = ((0.046, 0.034, 0.027), (0.041, 0.024, 0.022), (0.045, 0.028, 0.023), (0.041, 0.027, 0.023), (0.033, 0.020, 0.021))
_THUMB_DIRECTION = np.array([-0.72, 0.66, -0.2])


def plain_skeleton(*, lengths: float = 1.0, width: float = 1.0, pad: float = 0.007) -> HandSkeleton:
    """A hand with spherical pads of radius `pad`; `lengths` and `width` stretch fingers and palm."""
    rest, tips = np.zeros((16, 3)), np.zeros((5, 3))
    flexion, abduction = np.zeros((16, 3)), np.zeros((16, 3))
    flexion[0], abduction[0] = (-1, 0, 0), (0, 0, 1)
    for finger, joints in enumerate(FINGER_JOINTS):
        direction = _THUMB_DIRECTION / np.linalg.norm(_THUMB_DIRECTION) if finger == 0 else np.array([0.0, 1.0, 0.0])
        place = np.array([_KNUCKLES[finger][0] * width, _KNUCKLES[finger][1] * lengths, 0.0])
        palm = np.array([0.5, 0.3, -0.8]) if finger == 0 else np.array([0.0, 0.0, -1.0])
        palm = palm - direction * (palm @ direction)
        palm /= np.linalg.norm(palm)
        for joint, length in zip(joints, _PHALANGES[finger], strict=True):
            rest[joint] = place
            flexion[joint], abduction[joint] = np.cross(direction, palm), -palm
            place = place + direction * length * lengths
        tips[finger] = place
    sphere = _sphere(64) * pad
    pads = np.stack([sphere + 0.75 * (tips[f] - rest[FINGER_JOINTS[f][2]]) for f in range(5)])
    mirror = np.array([-1.0, 1.0, 1.0])
    return HandSkeleton(
        name="plain",
        rest=np.stack([rest, rest * mirror]),
        tips=np.stack([tips, tips * mirror]),
        # An axis is a pseudo-vector: in the mirror its components in the mirror's plane change sign.
        flexion=np.stack([flexion, -flexion * mirror]),
        abduction=np.stack([abduction, -abduction * mirror]),
        pads=np.stack([pads, pads * mirror]),
        skin=np.stack([pads, pads * mirror]),
        skin_share=np.ones((2, 5, pads.shape[1])),
    )


def _sphere(count: int) -> np.ndarray:
    """Evenly spread unit vectors (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z = 1.0 - 2.0 * k / count
    turn = np.pi * (1.0 + 5.0**0.5) * k
    ring = np.sqrt(1.0 - z * z)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)
