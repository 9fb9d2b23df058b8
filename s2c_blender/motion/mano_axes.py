# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the axes of S2C and PianoMotion10M and a clip's: camera and keyboard, mirrored and true left hands, MANO's mean pose.

The model's camera looks down on the keys: x to the treble, y towards the player, z down. MANO's right hand rests with its fingers
along -x, its back along +y and its thumb along +z. A left hand is stored as a right one in the mirror x -> -x.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGER_JOINTS, JOINTS, HandSide
from . import rotation
from .hand_rig import own_skeleton

Array = NDArray[np.floating]

#: Camera's axes to the keyboard's: half a turn about x.
CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
#: MANO's rest axes to a clip's (fingers along +y, back up, thumb to -x): columns are where MANO's x, y and z go.
REST = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
MIRROR = np.array([-1.0, 1.0, 1.0])
#: MANO's right wrist at rest, metres; the person's own MANO file says it exactly.
WRIST = np.array([0.096, 0.0, 0.0])
#: Where a playing wrist is on average, keyboard frame (before the keys, above them). Stands in until takes are registered to notes.
PLAYING = np.array([0.0, -0.07, 0.06])

# Radians at the first, middle and last joint of a hand at ease, our own choice; the last follows the middle as in `anatomy`.
_RELAXED_CURL = (0.30, 0.45, 0.30)
_RELAXED_THUMB = (0.15, 0.10, 0.20)


def relaxed_pose() -> Array:
    """(16, 3) rotation vectors in MANO's axes: our own hand's finger joints, bent a little about the axes they flex about."""
    flexion = own_skeleton().flexion[HandSide.RIGHT] @ REST
    pose = np.zeros((len(JOINTS), 3))
    for finger, joints in enumerate(FINGER_JOINTS):
        curl = _RELAXED_THUMB if finger == 0 else _RELAXED_CURL
        pose[list(joints)] = np.array(curl)[:, None] * flexion[list(joints)]
    return pose


@dataclass(frozen=True)
class HandConvention:
    """What poses of S2C are relative to: a mean pose (16, 3), wrist first and zero there, and the wrist at rest (3,), metres.

    Both stand in the person's MANO file (`mano.read_mano`), and with it a clip is what the published code would show. The mean
    pose is licensed with that file, so without it a relaxed pose of our own hand is taken: MANO's is one of a hand at ease too
    (S2C adds it: smplx' flat_hand_mean is off), and with none at all every take would have its fingers too straight.
    """

    mean_pose: Array = field(default_factory=relaxed_pose)
    wrist: Array = field(default_factory=WRIST.copy)


def to_rotation_vectors(pose: Array) -> Array:
    """(T, 48) in units of pi to rotation vectors (T, 16, 3)."""
    return np.asarray(pose, float).reshape(len(pose), len(JOINTS), 3) * np.pi


def hand_rotations(turns: Array) -> Array:
    """Quaternions (T, 16, 4) of a right hand in camera and MANO axes to a clip's, relative to the parent and the flat hand."""
    rest, camera = rotation.from_matrix(REST), rotation.from_matrix(CAMERA)
    result = rotation.multiply(rotation.multiply(rest, turns), rotation.conjugate(rest))
    # The wrist turns from MANO's rest axes into the camera's.
    result[:, 0] = rotation.multiply(rotation.multiply(camera, turns[:, 0]), rotation.conjugate(rest))
    return rotation.normalize(result)


def wrist_places(translation: Array, wrist: Array) -> Array:
    """MANO translations (T, 3) in the camera's frame to the wrist joint's places in the keyboard's."""
    return (translation + wrist) @ CAMERA.T


def both_hands(turns: Array, translation: Array, *, wrist: Array) -> tuple[Array, Array]:
    """Quaternions (T, 2, 16, 4) and translations (T, 2, 3), both as right hands in MANO's way, to true hands as in a Clip."""
    rotations, places = np.empty_like(turns), np.empty_like(translation)
    for side in HandSide:
        rotations[:, side] = hand_rotations(turns[:, side])
        places[:, side] = wrist_places(translation[:, side], wrist)
    rotations[:, HandSide.LEFT] = rotation.mirror(rotations[:, HandSide.LEFT])
    places[:, HandSide.LEFT] *= MIRROR
    return rotations, places


def as_right_hands(rotations: Array, places: Array, *, wrist: Array) -> tuple[Array, Array]:
    """The way back from `both_hands`: true hands in the keyboard's frame to right ones in MANO's way."""
    rotations, places = rotations.astype(float), places.astype(float)
    rotations[:, HandSide.LEFT] = rotation.mirror(rotations[:, HandSide.LEFT])
    places[:, HandSide.LEFT] *= MIRROR
    rest, camera = rotation.from_matrix(REST), rotation.from_matrix(CAMERA)
    turns = rotation.multiply(rotation.multiply(rotation.conjugate(rest), rotations), rest)
    turns[:, :, 0] = rotation.multiply(rotation.multiply(rotation.conjugate(camera), rotations[:, :, 0]), rest)
    return rotation.normalize(turns), places @ CAMERA - wrist


def onto_keys(places: Array) -> Array:
    """Move a take as a whole (never sideways) so that its wrists are on average where a player's are."""
    shift = PLAYING - np.median(places.reshape(-1, 3), axis=0)
    shift[0] = 0.0
    return places + shift
