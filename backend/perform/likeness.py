# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a motion is left in the take that was solved near it: postures, speeds, and how much they jitter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.motion.skeleton import HandSkeleton, forward
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide

Array = NDArray[np.float64]

FAST = 8.0  # Hz: people's playing has little above
_BUSY = (0.25, 0.10)  # seconds before and after a stroke in which a finger belongs to it
_BLOCK = 4096  # frames looked at together


@dataclass(frozen=True)
class Likeness:
    """Degrees, shares, correlations; over the frames from time zero to the last note's end, both hands."""

    joints: float  # mean turn of a finger's joint
    idle: float  # median turn of a joint of a finger that does not play
    wrist_speed: float  # correlation, over the keyboard (a motion's height is not known)
    finger_speed: float  # of fingertips from the wrist
    fast_before: float  # share of the fingertips' energy of motion above FAST
    fast_after: float

    def in_words(self) -> str:
        return (
            f"Joints turned by {self.joints:.1f} degrees on average ({self.idle:.1f} in the middle for fingers that do not play); "
            f"speeds of wrists and fingers go with the generated ones to {self.wrist_speed:.2f} and {self.finger_speed:.2f}; "
            f"above {FAST:g} Hz is {self.fast_after:.1%} of the fingers' energy, where {self.fast_before:.1%} was."
        )


def likeness(before: Clip, after: Clip, skeleton: HandSkeleton) -> Likeness:
    """Both with the same frames and notes; `before` laid on the keys, not solved."""
    inside = (after.times >= 0.0) & (after.times <= max(after.score.duration, 1.0 / after.rate))
    rotations = [clip.rotation[inside] for clip in (before, after)]
    turned = _turned(*rotations)
    tips = [_tips(skeleton, turns) * after.rate for turns in rotations]
    speeds = [np.linalg.norm(np.diff(tip, axis=0), axis=-1) for tip in tips]
    wrists = [np.linalg.norm(np.diff(clip.translation[inside, :, :2], axis=0), axis=-1) for clip in (before, after)]
    playing = _playing(after, after.times[inside])
    fingers = turned[:, :, np.array(FINGER_JOINTS)]  # (F, H, 5, 3)
    idle = fingers[~playing]
    return Likeness(
        joints=float(np.degrees(fingers.mean())),
        idle=float(np.degrees(np.median(idle))) if idle.size else 0.0,
        wrist_speed=_together(*wrists),
        finger_speed=_together(*speeds),
        fast_before=_fast(tips[0], after.rate),
        fast_after=_fast(tips[1], after.rate),
    )


def _turned(before: NDArray[np.float32], after: NDArray[np.float32]) -> Array:
    """(F, H, 16) angles between quaternions."""
    return 2.0 * np.arccos(np.clip(np.abs(np.sum(before.astype(float) * after, axis=-1)), 0.0, 1.0))


def _tips(skeleton: HandSkeleton, turns: NDArray[np.float32]) -> Array:
    """(F, H, 5, 3) fingertips from the wrist, in the hand's own axes."""
    result = np.empty((len(turns), 2, 5, 3))
    last = np.array(FINGER_JOINTS)[:, 2]
    for begin in range(0, len(turns), _BLOCK):
        own = turns[begin : begin + _BLOCK].astype(float)
        own[:, :, 0] = rotation.IDENTITY
        joints, turned = forward(skeleton, own, np.zeros((len(own), 2, 3)))
        bone = skeleton.tips - skeleton.rest[:, last]
        result[begin : begin + _BLOCK] = joints[:, :, last] + rotation.rotate(turned[:, :, last], bone)
    return result


def _playing(clip: Clip, times: Array) -> NDArray[np.bool_]:
    """(F, H, 5) whether a finger strikes, holds or leaves a key, or is about to strike."""
    strokes = key_motion(clip.score, clip.fingering).strokes
    result = np.zeros((len(times), 2, 5), dtype=bool)
    first = np.searchsorted(times, strokes.touch - _BUSY[0])
    last = np.searchsorted(times, strokes.up + _BUSY[1])
    for note in np.flatnonzero(clip.fingering.played):
        side = HandSide(int(clip.fingering.hand[note]))
        result[first[note] : last[note], side, clip.fingering.finger[note] - 1] = True
    return result


def _together(before: Array, after: Array) -> float:
    """Correlation over time, the mean over hands and fingers that move."""
    before, after = (values.reshape(len(values), -1) - values.mean(axis=0).ravel() for values in (before, after))
    size = np.sqrt(np.sum(before**2, axis=0) * np.sum(after**2, axis=0))
    moving = size > 1e-12
    return float(np.mean(np.sum(before * after, axis=0)[moving] / size[moving])) if moving.any() else 1.0


def _fast(tips: Array, rate: float) -> float:
    """Share of the energy of the fingertips' velocity above FAST."""
    if len(tips) < 4:
        return 0.0
    speed = np.diff(tips, axis=0).reshape(len(tips) - 1, -1) * np.hanning(len(tips) - 1)[:, None]
    energy = np.sum(np.abs(np.fft.rfft(speed, axis=0)) ** 2, axis=1)
    return float(energy[np.fft.rfftfreq(len(speed), 1.0 / rate) > FAST].sum() / max(energy.sum(), 1e-12))
