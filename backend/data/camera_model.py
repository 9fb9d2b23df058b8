# SPDX-License-Identifier: GPL-3.0-or-later
"""What S2C's data makes of playing hands: an overhead camera, MANO's axes, 30 frames a second. NumPy only.

The published labels come from overhead videos, fitted with a focal length of 37 500 pixels: the picture is as good as orthographic,
the distance z says next to nothing of a hand's height, and where the keyboard lies in the picture is not known.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.motion.resample import places_at, rotations_at
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import JOINTS

from ..s2c import axes

Array = NDArray[np.floating]

FPS = 30.0
FOCAL = 37_500.0  # pixels


@dataclass(frozen=True)
class CameraModel:
    """How a performance was filmed, and how well its hands were seen.

    offset: where the middle of the keyboard's front edge lies, metres from the picture's middle, to the treble and to the player.
    scale: metres of the labels for one over the keys (a hand larger than MANO's is taken for a near one).
    height: share of a hand's height that its distance shows; the published labels show none.
    pixels, distance_noise (metres), pose_noise (radians): standard deviations from frame to frame.
    convention: what poses are relative to.
    """

    offset: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    distance: float = 22.0
    height: float = 0.0
    pixels: float = 2.0  # 1.2 mm
    distance_noise: float = 0.05
    pose_noise: float = 0.01
    convention: axes.HandConvention = field(default_factory=axes.HandConvention)


def random_camera(random: np.random.Generator, *, sideways: float = 0.25, depth: float = 0.05) -> CameraModel:
    """One of the many ways to hang a camera: offsets up to so many metres, a scale of 0.9 to 1.1, 20 to 24 m away."""
    return CameraModel(
        offset=(float(random.uniform(-sideways, sideways)), float(random.uniform(-depth, depth))),
        scale=float(random.uniform(0.9, 1.1)),
        distance=float(random.uniform(20.0, 24.0)),
    )


@dataclass(frozen=True)
class Filmed:
    """Both hands as right ones, as in the labels; axis 0 is `HandSide`, frame i is at i / FPS seconds.

    pose: (2, T, 48) rotation vectors in radians, relative to the mean pose; translation: (2, T, 3) of MANO, metres.
    """

    pose: Array
    translation: Array


def film(clip: Clip, camera: CameraModel, random: np.random.Generator) -> Filmed:
    """The clip from time zero on, as the labels of a video of it would be."""
    count = max(int(np.floor((clip.times[-1] + 1e-9) * FPS)) + 1, 1)
    frames = (np.arange(count) / FPS - clip.start) * clip.rate
    turns, places = rotations_at(clip.rotation, frames), places_at(clip.translation, frames)
    seen = _seen(places, camera, random)
    result, wrists = axes.as_right_hands(turns, seen, wrist=camera.convention.wrist)
    vectors = _continuous_vectors(result)
    vectors = vectors + camera.pose_noise * random.normal(size=vectors.shape) - camera.convention.mean_pose
    return Filmed(np.moveaxis(vectors.reshape(count, 2, 3 * len(JOINTS)), 1, 0), np.moveaxis(wrists, 1, 0))


def _seen(places: Array, camera: CameraModel, random: np.random.Generator) -> Array:
    """Wrists (T, 2, 3) in the keyboard frame to where the labels have them, in the camera's axes turned to the keyboard's."""
    true = camera.scale * places * (1.0, 1.0, camera.height)
    true[..., 0] += camera.offset[0]
    true[..., 1] -= camera.offset[1]  # the camera's y runs to the player
    distance = camera.distance - true[..., 2]
    pixels = FOCAL * true[..., :2] / distance[..., None] + camera.pixels * random.normal(size=true[..., :2].shape)
    guessed = distance + camera.distance_noise * random.normal(size=distance.shape)
    return np.concatenate([pixels * (guessed / FOCAL)[..., None], -guessed[..., None]], axis=-1)


def _continuous_vectors(turns: Array) -> Array:
    """Quaternions (T, 2, 16, 4) to rotation vectors (T, 2, 16, 3) that never jump where a turn passes half a circle."""
    near = rotation.continuous(np.where(turns[:1, ..., :1] < 0.0, -turns, turns) if len(turns) else turns)
    sine = np.linalg.norm(near[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, near[..., :1])
    return near[..., 1:] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)
