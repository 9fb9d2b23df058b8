# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model's numbers to a clip: smoothed, in the keyboard's frame, at the rate that hands carry. NumPy only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.motion.resample import places_at, rotations_at
from s2c_blender.wire.clip import Clip, hand_rate
from s2c_blender.wire.notes import Fingering, Score

from . import axes
from .behaviour import Behaviour
from .config import MODEL_FPS, POSITION_SCALE
from .smoothing import smooth, smooth_rotations

Array = NDArray[np.floating]

PRE_ROLL = 1.0  # seconds before time zero in which the hands hold their first pose


@dataclass(frozen=True)
class Sampled:
    """What the model gives: pose (2, T, 48) in units of pi and positions (2, T, 3) in (-1, 1), both hands as right ones."""

    pose: Array
    positions: Array


def to_clip(
    sampled: Sampled, *, fps: float, convention: axes.HandConvention | None = None, behaviour: Behaviour | None = None
) -> Clip:
    """True hands in the keyboard's frame, without notes."""
    convention = convention or axes.HandConvention()
    turns = np.stack([_turns(pose, convention, behaviour or Behaviour()) for pose in sampled.pose], axis=1)
    translation = np.stack([smooth(places * np.array(POSITION_SCALE)) for places in sampled.positions], axis=1)
    rotations, places = axes.both_hands(turns, translation, wrist=convention.wrist)
    rate, seconds = hand_rate(fps), len(rotations) / MODEL_FPS
    times = -PRE_ROLL + np.arange(int(np.ceil((PRE_ROLL + seconds) * rate))) / rate
    nothing = np.zeros(0)
    return Clip(
        rotation=rotations_at(rotations, times * MODEL_FPS),
        translation=places_at(axes.onto_keys(places), times * MODEL_FPS).astype(np.float32),
        fps=fps,
        start=-PRE_ROLL,
        score=Score(()),
        fingering=Fingering(nothing.astype(np.int8), nothing.astype(np.int8), nothing, nothing),
    )


def _turns(pose: Array, convention: axes.HandConvention, behaviour: Behaviour) -> Array:
    """Pose (T, 48) to smoothed quaternions (T, 16, 4). MANO adds its mean pose to the rotation vectors."""
    vectors = axes.to_rotation_vectors(pose)
    if behaviour.filter_vectors:
        return rotation.continuous(rotation.from_axis_angle(smooth(vectors) + convention.mean_pose))
    return smooth_rotations(vectors + convention.mean_pose)
