# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural motion prior: from notes with fingers to how a pianist's hands would move, before contact is solved.

It gives a path and posture for each hand (the prior) and what each fingertip should do (the targets).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy
from s2c_blender.motion.key_motion import KeyMotion, KeyStrokes
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import FALLBOARD_Y, Keyboard
from s2c_blender.wire.notes import Fingering, Score

from . import enslaving, fingertips, wrist_path
from .easing import evened
from .fingering_costs import cost_tables
from .manner import Manner
from .playable import TOGETHER
from .posture import Posture, playing_posture
from .strikes import travel_time
from .targets import Targets, black_top

Array = NDArray[np.float64]

_FLAT = 0.1  # flexion (radians) of a knuckle up to which it stretches to hold its finger over the black keys,
_CURVED = 0.004  # metres that it is too low from which on it is as curved as in the posture,
_BOARD_ROOM = 0.020  # metres in front of the fallboard from which on it curls up more,
_MOST_CURL = np.radians(35)  # at most,
_EVENED = 0.2  # and seconds to either side over which that begins and ends
_NO_GAIN = 0.001  # metres for each radian: a finger that a character lacks has no length
_AHEAD = 10  # strikes of a hand: before so many more a finger has long let go
_NEIGHBOURHOOD = 3.0  # seconds beyond which notes do not change what a finger does


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
    tone: Array  # seconds from the hand's previous strike: one tone of a melodic run
    elsewhere: Array  # seconds: when the hand has to set out for a key that it cannot touch while this note's finger stays
    strokes: KeyStrokes

    def near(self, begin: float, end: float) -> "Part":
        """The notes that matter between two times: those that sound there, and their neighbours."""
        chosen = np.flatnonzero((self.strokes.up > begin - _NEIGHBOURHOOD) & (self.strokes.touch < end + _NEIGHBOURHOOD))
        return self.take(chosen)

    def take(self, chosen: NDArray[np.intp]) -> "Part":
        """Notes `chosen` by their places in the part."""
        return Part(
            self.side,
            *(getattr(self, name)[chosen] for name in ("note", "finger", "key", "loudness", "tone", "elsewhere")),
            strokes=_take_strokes(self.strokes, chosen),
        )


def _take_strokes(strokes: KeyStrokes, chosen: NDArray[np.intp]) -> KeyStrokes:
    return KeyStrokes(*(getattr(strokes, field.name)[chosen] for field in fields(KeyStrokes)))


def _tone_intervals(strike: Array) -> Array:
    distinct = np.concatenate([[-np.inf], strike[:-1]])[: len(strike)]
    for k in range(1, len(strike)):  # notes of one chord share their predecessor
        if strike[k] - strike[k - 1] < 0.03:
            distinct[k] = distinct[k - 1]
    return np.clip(strike - distinct, 0.06, 0.40)


def _elsewhere(side: HandSide, strokes: KeyStrokes, finger: NDArray[np.intp]) -> Array:
    """(n,) as in `Part`, of notes in order of strike; for a hand of usual size."""
    tables, key = cost_tables(side), strokes.key
    result = np.full(len(key), np.inf)
    for ahead in range(1, min(_AHEAD, len(key))):
        first, later = slice(None, -ahead), slice(ahead, None)
        way = tables.conflict[key[first], key[later], finger[first], finger[later]] / 1000.0
        leaves = (way > 0.0) & (strokes.strike[later] - strokes.strike[first] > TOGETHER)
        result[first] = np.minimum(result[first], np.where(leaves, strokes.touch[later] - travel_time(way), np.inf))
    return result


def parts(score: Score, fingering: Fingering, motion: KeyMotion) -> tuple[Part, Part]:
    """Each hand's notes."""
    velocity = np.array([note.velocity for note in score.notes], dtype=float)
    result = []
    for side in HandSide:
        chosen = np.flatnonzero(fingering.played & (fingering.hand == side))
        chosen = chosen[np.lexsort((motion.strokes.key[chosen], fingering.strike[chosen]))]
        strokes = _take_strokes(motion.strokes, chosen)
        finger = fingering.finger[chosen].astype(np.intp) - 1
        result.append(
            Part(
                side=side,
                note=chosen,
                finger=finger,
                key=strokes.key,
                loudness=velocity[chosen] / 127.0,
                tone=_tone_intervals(fingering.strike[chosen]),
                elsewhere=_elsewhere(side, strokes, finger),
                strokes=strokes,
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


class Plan:
    """What the solve is given, section by section, so that a long piece needs no more memory than a short one."""

    def __init__(
        self,
        score: Score,
        fingering: Fingering,
        motion: KeyMotion,
        setting: Setting,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """`look` is called every now and then and may raise, to stop."""
        self.motion, self.setting = motion, setting
        self.frames, self.rate = setting.take.frames, setting.take.rate
        self.posture: Posture = playing_posture(setting.skeleton, curl=setting.manner.curl)
        self.hands = parts(score, fingering, motion)
        self.wrists = wrist_path.wrist_paths(
            self.hands, self.posture, keyboard=setting.keyboard, take=setting.take, weight=setting.manner.weight, look=look
        )  # (F, H, 6)
        self.close, self.raised = wrist_path.give_way(self.wrists, rate=self.rate)  # (F,), (F, H)

    def section(self, first: int, last: int) -> tuple[Array, Targets]:
        """Frames first to last: the prior (F, H, D), poses near which the solve stays, and the fingertips' targets."""
        setting, wanted = self.setting, first
        first = self._from(first)
        frames = slice(first, last)
        take = Take(setting.take.start + first / self.rate, self.rate, last - first)
        prior = np.repeat(self.posture.dofs[None], take.frames, axis=0)
        prior[..., :6] = self.wrists[frames]
        prior += setting.manner.drift(take.times)
        prior[..., anatomy.index("thumb1 abduction")] -= wrist_path.FOLD * self.close[frames, None]
        hands = [part.near(take.times[0], take.times[-1]) for part in self.hands]
        targets, freedom = fingertips.fingertip_targets(
            hands, self.motion, keyboard=setting.keyboard, take=take, lift=setting.manner.lift
        )
        turns = enslaving.follow_neighbours(targets, freedom.follows, hover=fingertips.HOVER)
        for joint, turn in enumerate(turns, 1):
            prior[..., [columns.start + joint for columns in anatomy.FINGER_DOFS]] += turn
        fingertips.rise_with_hands(targets, prior[..., 2] - self.posture.dofs[:, 2], self.raised[frames], freedom)
        _hold_over_black(prior, targets, self.posture)
        return prior[wanted - first :], targets.take(np.arange(wanted - first, take.frames))

    def _from(self, first: int) -> int:
        """The frame from which to plan, for what is down at `first` to be planned from its strike on."""
        time = self.setting.take.start + first / self.rate
        touches = [part.strokes.touch[(part.strokes.touch < time + 0.1) & (part.strokes.up > time)] for part in self.hands]
        earliest = min((float(touch.min()) for touch in touches if len(touch)), default=time)
        return min(first, max(int((earliest - self.setting.take.start) * self.rate) - 2, 0))


def _hold_over_black(prior: Array, targets: Targets, posture: Posture) -> None:
    """Idle long fingers among the black keys are held above them by their knuckles, where they would be too low, and stay curved,
    the more the nearer the fallboard is.

    From a finger that is too low the solve finds two ways up, to bend it and to stretch it, and takes long to choose.
    """
    idle = (targets.clearance > 0.0) & (targets.over_black > 0.0)
    around = round(_EVENED * targets.rate)

    def too_far(short: Array) -> Array:
        return evened(np.where(idle, np.maximum(short, 0.0), 0.0), around)

    def too_low(tips: Array) -> Array:
        return too_far(targets.height + targets.over_black * black_top(tips[..., 1]) - tips[..., 2])

    tips = posture.fingertips(prior)
    held = np.minimum(too_low(tips) / _CURVED, 1.0)
    beyond = too_far(tips[..., 1] - (FALLBOARD_Y - _BOARD_ROOM))
    for finger, columns in enumerate(anatomy.FINGER_DOFS[1:], 1):
        middle = columns.start + 2
        curl = np.minimum(_turn(beyond[..., finger], -posture.gain[:, finger, 1, middle]), _MOST_CURL)
        prior[..., middle] += held[..., finger] * np.maximum(posture.dofs[:, middle] - prior[..., middle], 0.0) + curl
    short = too_low(posture.fingertips(prior))
    for finger, columns in enumerate(anatomy.FINGER_DOFS[1:], 1):
        knuckle = columns.start + 1
        turn = _turn(short[..., finger], posture.gain[:, finger, 2, knuckle])
        prior[..., knuckle] = np.clip(prior[..., knuckle] + turn, np.minimum(prior[..., knuckle], _FLAT), None)


def _turn(metres: Array, gain: Array) -> Array:
    """Radians (F, H) by which a joint brings a fingertip so far, `gain` (H,) metres for each."""
    return metres * gain / (gain**2 + _NO_GAIN**2)
