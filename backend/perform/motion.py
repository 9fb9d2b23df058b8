# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion from elsewhere (S2C's, or any clip's) as the solve sees it: angles of our own hand, and where its fingertips are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy
from s2c_blender.motion.resample import places_at, rotations_at
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.clip import Clip

from . import kinematics

Array = NDArray[np.float64]

DROP_SEEN = 0.10  # seconds before a strike from which a finger is seen to go down
AFTER = 0.02  # and after it: the key is at its bottom
_DROP, _LOW = 0.004, 0.010  # metres of going down, and of being lower than the others, that make a finger e times likelier
_MOST = 4.0  # of either


@dataclass(frozen=True)
class Motion:
    """A clip's poses on the solve's skeleton. The wrists' places are as they come, in no known relation to the keys."""

    clip: Clip
    skeleton: HandSkeleton

    def dofs(self, times: Array) -> Array:
        """(F, H, D) within the joints' limits."""
        result = np.empty((len(times), 2, anatomy.DOFS))
        result[..., :3] = self.wrists(times)
        result[..., 3:] = kinematics.from_rotations(self.skeleton, self.rotations(times))
        return np.clip(result, anatomy.LOWEST, anatomy.HIGHEST)

    def rotations(self, times: Array) -> Array:
        """(F, H, 16, 4) as the clip has them."""
        at = (times - self.clip.start) * self.clip.rate
        # A section of a long clip should cost no more than a short clip.
        first = int(np.clip(np.floor(at.min(initial=np.inf)), 0, len(self.clip.rotation) - 1))
        last = int(np.clip(np.ceil(at.max(initial=0.0)) + 1, first + 1, len(self.clip.rotation)))
        return rotations_at(self.clip.rotation[first:last], at - first).astype(float)

    def wrists(self, times: Array) -> Array:
        """(F, H, 3)."""
        return places_at(self.clip.translation, (times - self.clip.start) * self.clip.rate)

    def tips(self, times: Array) -> Array:
        """(F, H, 5, 3): each fingertip's lowest point, from the wrist."""
        dofs = self.dofs(times)
        dofs[..., :3] = 0.0
        bottom, _ = kinematics.lowest(self.skeleton, kinematics.pose(self.skeleton, dofs))
        return bottom

    @property
    def begin(self) -> float:
        return self.clip.start

    @property
    def end(self) -> float:
        return float(self.clip.times[-1])


def going_down(tips: Array, before: Array) -> Array:
    """How much each finger (..., 5) looks as if it struck: logarithm of a likelihood, up to a constant.

    tips, before: (..., 5, 3) fingertips from the wrist, at a strike and a little before. The hand's own height is not known, so
    that a finger is compared with the others: how far it has come down, how low it is.
    """
    height = tips[..., 2]
    drop = before[..., 2] - height
    drop = drop - np.median(drop, axis=-1, keepdims=True)
    low = np.median(height, axis=-1, keepdims=True) - height
    return np.clip(drop / _DROP, -_MOST, _MOST) + np.clip(low / _LOW, -_MOST, _MOST)
