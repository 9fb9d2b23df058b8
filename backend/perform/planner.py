# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural motion prior: from notes with fingers to how a pianist's hands would move, before contact is solved.

It gives a path and posture for each hand (the prior) and what each fingertip should do (the targets).
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.key_motion import KeyMotion, KeyStrokes
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import Keyboard
from s2c_blender.wire.notes import Fingering, Score

from . import fingertips, wrist_path
from .manner import Manner
from .posture import Posture, playing_posture
from .targets import Targets

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Take:
    """The frames to fill: frame i is at `start + i / rate` seconds."""

    start: float
    rate: float
    frames: int

    @property
    def times(self) -> Array:
        return self.start + np.arange(self.frames) / self.rate


@dataclass(frozen=True)
class Part:
    """One hand's played notes in order of strike. All arrays run over them (n)."""

    side: HandSide
    note: NDArray[np.intp]  # index into the score
    finger: NDArray[np.intp]  # 0 thumb to 4 little finger
    key: NDArray[np.intp]
    loudness: Array  # velocity / 127
    strokes: KeyStrokes


@dataclass(frozen=True)
class Plan:
    """prior: (F, H, D) poses near which the solve stays; targets: what the fingertips are asked to do."""

    prior: Array
    targets: Targets


def parts(score: Score, fingering: Fingering, motion: KeyMotion) -> tuple[Part, Part]:
    """Each hand's notes."""
    velocity = np.array([note.velocity for note in score.notes], dtype=float)
    result = []
    for side in HandSide:
        chosen = np.flatnonzero(fingering.played & (fingering.hand == side))
        chosen = chosen[np.lexsort((motion.strokes.key[chosen], fingering.strike[chosen]))]
        result.append(
            Part(
                side=side,
                note=chosen,
                finger=fingering.finger[chosen].astype(np.intp) - 1,
                key=motion.strokes.key[chosen],
                loudness=velocity[chosen] / 127.0,
                strokes=KeyStrokes(*(getattr(motion.strokes, f.name)[chosen] for f in fields(KeyStrokes))),
            )
        )
    return result[0], result[1]


@dataclass(frozen=True)
class Setting:
    """Who plays where and when: what does not depend on the notes."""

    skeleton: HandSkeleton
    keyboard: Keyboard
    take: Take
    manner: Manner


def plan(score: Score, fingering: Fingering, motion: KeyMotion, setting: Setting) -> Plan:
    """Prior and targets for the whole take."""
    take, keyboard, way = setting.take, setting.keyboard, setting.manner
    posture: Posture = playing_posture(setting.skeleton)
    hands = parts(score, fingering, motion)
    prior = np.repeat(posture.dofs[None], take.frames, axis=0)
    for part in hands:
        prior[:, part.side, :6] = wrist_path.wrist_path(part, posture, keyboard=keyboard, take=take, weight=way.weight)
    prior += way.drift(take.times)
    wrist_path.give_way(prior, rate=take.rate)
    targets = fingertips.fingertip_targets(hands, motion, keyboard=keyboard, take=take, lift=way.lift)
    fingertips.rise_with_hands(targets, prior[..., 2] - posture.dofs[:, 2])
    return Plan(prior, targets)
