# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and order of the two hands, their joints and their fingers. One table for everybody."""

from enum import IntEnum


class HandSide(IntEnum):
    """A hand; also the index of the hand axis in arrays."""

    RIGHT = 0
    LEFT = 1

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def suffix(self) -> str:
        """Blender's side suffix of bone names."""
        return ".R" if self is HandSide.RIGHT else ".L"


#: MANO's joint order (Romero et al. 2017, "Embodied Hands"); index 0 is the wrist.
JOINTS = (
    "wrist",
    "index1", "index2", "index3",
    "middle1", "middle2", "middle3",
    "pinky1", "pinky2", "pinky3",
    "ring1", "ring2", "ring3",
    "thumb1", "thumb2", "thumb3",
)  # fmt: skip

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)

#: Pianists' order: finger number minus one is the index.
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

#: Joint indices of each finger, from the knuckle outwards, in the order of `FINGERS`.
FINGER_JOINTS = ((13, 14, 15), (1, 2, 3), (4, 5, 6), (10, 11, 12), (7, 8, 9))
