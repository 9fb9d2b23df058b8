# SPDX-License-Identifier: GPL-3.0-or-later
"""HandModel: a hand as linear blend skinning wants it, be it our own or one of MANO's. NumPy only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.hand_rig import HandRig
from s2c_blender.wire.hands import FINGER_JOINTS, JOINTS

Array = NDArray[np.float64]

BENDS = 9 * (len(JOINTS) - 1)  # entries of the rotation matrices of all joints but the wrist


@dataclass(frozen=True)
class HandModel:
    """A right hand at rest, in axes of its own, metres. V points, of which the first `skin` are the mesh's.

    vertices (V, 3); faces (F, 3 or 4), counter-clockwise from outside; weights (V, 16), rows summing to one;
    regressor (16, V): joints as weighted sums of vertices, rows summing to one;
    bends (V, 3, 135): how a vertex moves with each entry of the finger joints' rotation matrices less the identity;
    tips (5,): points at the fingers' ends, in the order of `FINGERS`; axes (3, 3): columns are where its x, y and z lie in a clip.
    """

    name: str
    vertices: Array
    faces: NDArray[np.int32]
    weights: Array
    regressor: Array
    bends: Array
    tips: NDArray[np.intp]
    axes: Array
    skin: int

    @property
    def joints(self) -> Array:
        """(16, 3) at rest."""
        return self.regressor @ self.vertices


def own_hand(rig: HandRig, *, span: float) -> HandModel:
    """Our hand, as long from thumb tip to little fingertip as a clip says. Its fingers' ends ride on their last joints."""
    tips = np.zeros((5, len(JOINTS)))
    tips[np.arange(5), [joints[-1] for joints in FINGER_JOINTS]] = 1.0
    vertices = np.concatenate([rig.vertices, rig.tips]) * (span / rig.span)
    # The joints of our hand are places of their own: of all weighted sums that give them, the one with the smallest weights.
    level = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)
    wanted = np.concatenate([rig.rest * (span / rig.span), np.ones((len(JOINTS), 1))], axis=1)
    return HandModel(
        name="own",
        vertices=vertices,
        faces=rig.quads,
        weights=np.concatenate([rig.weights, tips]),
        regressor=wanted @ np.linalg.pinv(level),
        bends=np.zeros((len(vertices), 3, BENDS)),
        tips=np.arange(len(rig.vertices), len(vertices)),
        axes=np.eye(3),
        skin=len(rig.vertices),
    )
