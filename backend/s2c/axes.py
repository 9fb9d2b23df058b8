# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model's axes to a clip's, by the arithmetic that the add-on has too."""

from s2c_blender.motion.mano_axes import (
    CAMERA,
    MIRROR,
    PLAYING,
    REST,
    WRIST,
    HandConvention,
    as_right_hands,
    both_hands,
    hand_rotations,
    onto_keys,
    relaxed_pose,
    to_rotation_vectors,
    wrist_places,
)

__all__ = [
    "CAMERA",
    "MIRROR",
    "PLAYING",
    "REST",
    "WRIST",
    "HandConvention",
    "as_right_hands",
    "both_hands",
    "hand_rotations",
    "onto_keys",
    "relaxed_pose",
    "to_rotation_vectors",
    "wrist_places",
]
