# SPDX-License-Identifier: GPL-3.0-or-later
"""HandSkeleton: all that the solve needs to know of a pair of hands, whoever they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGER_JOINTS, PARENTS, HandSide
from . import rotation

Array = NDArray[np.float64]

#: Angle at the wrist between thumb tip and little fingertip of a stretched hand. With it a hand of mean proportions, 19.25 cm
#: from wrist to middle fingertip, spans 22 cm (Boyle et al., paskpiano.org: 22.6 and 20.1 cm for men's and women's means).
STRETCH = np.radians(97.0)


#: Shapes of the arrays of a HandSkeleton; None: any number.
SHAPES: dict[str, tuple[int | None, ...]] = {
    "rest": (2, 16, 3),
    "tips": (2, 5, 3),
    "flexion": (2, 16, 3),
    "abduction": (2, 16, 3),
    "pads": (2, 5, None, 3),
    "skin": (2, 5, None, 3),
    "skin_share": (2, 5, None),
    "radius": (2, 16),
}
_MOST_NUMBERS = 30_000
_LARGEST = 2.0  # metres


@dataclass(frozen=True)
class HandSkeleton:
    """Two hands, flat (palm down, fingers along +y, x to the treble, z up). Hand axis: `HandSide`. Metres.

    rest: (2, 16, 3) joint positions, MANO order, relative to the wrist joint.
    tips: (2, 5, 3) fingertips (end of the distal phalanx), fingers in the order of `FINGERS`, relative to the wrist.
    flexion: (2, 16, 3) unit axes about which a positive angle curls the joint towards the palm.
    abduction: (2, 16, 3) unit axes about which a positive angle spreads the finger towards the thumb's side.
    pads: (2, 5, P, 3) points of each distal phalanx' skin, relative to its distal joint: what touches keys.
    skin: (2, 5, Q, 3) points all around each finger's end, from behind its last joint on, relative to that joint: what must not
      pass through keys.
    skin_share: (2, 5, Q) how far each of them follows the last phalanx; for the rest it follows the middle one.
    radius: (2, 16) half thickness of the flesh around the segment that starts at each joint (the wrist: the palm).
    """

    name: str
    rest: Array
    tips: Array
    flexion: Array
    abduction: Array
    pads: Array
    skin: Array
    skin_share: Array
    radius: Array = field(default_factory=lambda: np.full((2, 16), 0.008))

    def missing(self, side: HandSide) -> frozenset[int]:
        """Fingers of a hand that are not there, 0 the thumb: no joint of theirs bends."""
        return frozenset(finger for finger, joints in enumerate(FINGER_JOINTS) if not self.abduction[side, list(joints)].any())

    def span(self) -> float:
        """Distance from thumb tip to little fingertip of the stretched right hand (metres): it grows with the hand.

        Both tips as far from the wrist as they are at rest, with `STRETCH` between them.
        """
        thumb, pinky = (np.linalg.norm(self.tips[0, finger]) for finger in (0, 4))
        return float(np.sqrt(thumb**2 + pinky**2 - 2.0 * thumb * pinky * np.cos(STRETCH)))

    def to_arrays(self) -> dict[str, Array]:
        """Its numbers by name, as a file holds them."""
        return {name: getattr(self, name) for name in SHAPES}

    @staticmethod
    def from_arrays(name: str, arrays: Mapping[str, NDArray[Any]]) -> "HandSkeleton":
        """Raises ValueError or KeyError for what is no pair of hands."""
        known: dict[str, Array] = {}
        for part, shape in SHAPES.items():
            values = np.asarray(arrays[part], dtype=float)
            fits = values.ndim == len(shape) and all(want in (size, None) for size, want in zip(values.shape, shape, strict=True))
            if not fits or not np.isfinite(values).all() or not values.size or values.size > _MOST_NUMBERS:
                raise ValueError(f"its hands' {part} has the shape {values.shape}")
            if np.abs(values).max() > _LARGEST:
                raise ValueError(f"its hands' {part} is larger than any hand")
            known[part] = values
        if known["skin"].shape[:3] != known["skin_share"].shape:
            raise ValueError("its hands' skin does not fit together")
        return HandSkeleton(name=name, **known)

    def scaled(self, factor: float) -> "HandSkeleton":
        return replace(
            self,
            rest=self.rest * factor,
            tips=self.tips * factor,
            pads=self.pads * factor,
            skin=self.skin * factor,
            radius=self.radius * factor,
        )


def forward(skeleton: HandSkeleton, rotations: Array, translation: Array) -> tuple[Array, Array]:
    """Forward kinematics. rotations (..., 2, 16, 4), translation (..., 2, 3).

    Returns joint positions (..., 2, 16, 3) and global rotations (..., 2, 16, 4).
    """
    positions = np.empty((*rotations.shape[:-1], 3))
    turned = np.empty_like(rotations)
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            turned[..., joint, :] = rotations[..., joint, :]
            positions[..., joint, :] = translation
            continue
        offset = skeleton.rest[:, joint] - skeleton.rest[:, parent]
        turned[..., joint, :] = rotation.multiply(turned[..., parent, :], rotations[..., joint, :])
        positions[..., joint, :] = positions[..., parent, :] + rotation.rotate(turned[..., parent, :], offset)
    return positions, turned


def pad_points(skeleton: HandSkeleton, rotations: Array, translation: Array) -> Array:
    """World positions (..., 2, 5, P, 3) of the fingertips' skin points."""
    positions, turned = forward(skeleton, rotations, translation)
    distal = [joints[-1] for joints in FINGER_JOINTS]
    return positions[..., distal, None, :] + rotation.rotate(turned[..., distal, None, :], skeleton.pads)
