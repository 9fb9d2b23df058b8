# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that a hand cannot hold together, though any two of them it can: tried on the hand itself, and one of them let go.

Fingers and stretches are chosen by pairs of keys. Whether an index finger reaches its key amid a tenth depends on all of them, on
their colours and on the hand; so what is nearly as wide as the hand is solved, by itself, and what goes wrong in it measured.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.key_motion import key_motion
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.errors import Cancelled
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import UNPLAYED, Fingering, NoteEvent, Score, pitch_name

from . import solve
from .fingering_costs import CostTables
from .manner import manner
from .planner import Plan, Setting, Take
from .playable import ROLL, ROLL_SPEED, TOGETHER, Playable, named, roll
from .problem import Problem, SolveSettings
from .strikes import strikes_and_releases

Array = NDArray[np.float64]

#: Keys (0-87) and fingers (0-4) of one hand, from the lowest key up.
Grip = tuple[HandSide, tuple[tuple[int, int], ...]]
#: By how many metres a hand fails at each grip; and whether that has to be known well, or to compare grips will do.
Trial = Callable[[Sequence[Grip], bool], Array]

NEARLY = 0.013  # metres short of the longest practical stretch of two fingers from which on a grip is tried
FAILS = 0.002  # metres of what is wrong in a grip (a finger beside its key, skin in a neighbour) from which on one key is let go
_DOUBTFUL = 0.0008  # and, of one not struck, from which on it is: 6 of 26 with up to 2 mm failed then, none of 195 with less
_STAYS = 0.1  # seconds after a strike for which a key has to be down to be held together with it
_LEFT_BEFORE = 0.06  # seconds before the last key of a rolled chord at which the one that is let go for it is struck, if it can be
_ROUNDS = 3  # a grip that loses a key may still be too wide
_HOLD, _REST = 0.7, 0.8  # seconds for which a grip is tried, and before and after it
_SETTLED, _FRAMES = 0.5, 3  # seconds after its strike from which on a grip is looked at, and for how many frames
_ITERATIONS = 24  # of a grip that is not struck
_AT_ONCE = 32  # grips solved side by side
_RATE, _LOUDNESS = 30.0, 64


def strikes_that_hold(
    score: Score, playable: Playable, finger: NDArray[np.int8], tables: dict[HandSide, CostTables], trial: Trial
) -> tuple[Array, Array]:
    """Strike and release times (N,), seconds, as `strikes_and_releases`, where each hand holds at once what it can.

    What it cannot hold loses the key that would be kept for the shortest; struck at once, it is rolled for that.
    """
    parted: set[tuple[int, int]] = set()
    known: dict[tuple[Grip, bool], float] = {}

    def faults(grips: list[Grip], *, well: bool) -> list[float]:
        new = [grip for grip in dict.fromkeys(grips) if (grip, well) not in known]
        known.update(zip([(grip, well) for grip in new], trial(new, well).tolist() if new else (), strict=True))
        return [known[grip, well] for grip in grips]

    def grip(side: HandSide, notes: Sequence[int]) -> Grip:
        return side, tuple(sorted((score.notes[i].pitch - LOWEST, int(finger[i]) - 1) for i in notes))

    for _ in range(_ROUNDS):
        strike, release = strikes_and_releases(score, playable, finger, tables, parted)
        held = [(side, notes) for side in HandSide for notes in _held(playable, finger, strike, release, side)]
        wide = [(side, notes) for side, notes in held if _nearly_too_wide(grip(side, notes), tables[side])]
        wrong = faults([grip(*each) for each in wide], well=True)
        failing = [each for each, fault in zip(wide, wrong, strict=True) if fault > FAILS]
        if not failing:
            return strike, release
        for side, notes in failing:
            without = faults([grip(side, [i for i in notes if i != left]) for left in notes], well=False)
            parted.add(_let_go(score, playable, dict(zip(notes, without, strict=True)), strike, release))
    return strikes_and_releases(score, playable, finger, tables, parted)


def _held(playable: Playable, finger: NDArray[np.int8], strike: Array, release: Array, side: HandSide) -> Iterator[tuple[int, ...]]:
    """Notes that one hand has down at once, in order of strike."""
    mine = np.flatnonzero((playable.hand == side) & (finger != UNPLAYED))
    mine = mine[np.argsort(strike[mine], kind="stable")]
    following = np.append(strike[mine], np.inf)[1:]
    down: list[int] = []
    for index, after in zip(mine.tolist(), following, strict=True):
        down = [*(i for i in down if release[i] > strike[index] + _STAYS), index]
        if after > strike[index] + TOGETHER:
            yield tuple(down)


def _nearly_too_wide(grip: Grip, tables: CostTables) -> bool:
    _, keys = grip
    if len(keys) < 3 or len({finger for _, finger in keys}) < len(keys):
        return False
    pairs = combinations(keys, 2)
    return any(tables.beyond[low, high, first, second] / 1000.0 > -NEARLY for (low, first), (high, second) in pairs)


def _let_go(score: Score, playable: Playable, without: dict[int, float], strike: Array, release: Array) -> tuple[int, int]:
    """Which of the notes that a hand should hold is let go, and for which other one. without: what is still wrong without each, in
    order of strike."""
    notes = list(without)
    chord = [i for i in notes if strike[notes[-1]] - strike[i] <= TOGETHER]
    if playable.delay[chord].any():
        chord = notes[-1:]
    last = max(chord, key=lambda i: score.notes[i].pitch)  # as it is rolled
    left = min((i for i in notes if i != last), key=lambda i: (max(without[i], FAILS), release[i], score.notes[i].pitch))
    if left in chord:
        roll(score, playable, chord, 2.0 * ROLL * ROLL_SPEED)
        # Linear in place it may come right before the last one, which it would hold up.
        latest = score.notes[last].onset + playable.delay[last] - _LEFT_BEFORE
        playable.delay[left] = np.clip(latest - score.notes[left].onset, -ROLL, playable.delay[left])
    names = " ".join(pitch_name(pitch) for pitch in sorted(score.notes[i].pitch for i in notes))
    after = pitch_name(score.notes[last].pitch)
    playable.remarks.append(f"{named(score, left)}: let go for {after}, since a hand of this size cannot hold {names} at once")
    return left, last


def trial(
    skeleton: HandSkeleton,
    keyboard: Keyboard,
    grips: Sequence[Grip],
    well: bool,
    *,
    processes: int = solve.PROCESSES,
    cancelled: Callable[[], bool] = lambda: False,
) -> Array:
    """(n,) metres that are wrong while this hand holds each of the grips, by itself: a `Trial`. Raises Cancelled.

    They are not struck; `well`: what may fail then is struck and held, as in a piece.
    """

    def look() -> None:
        if cancelled():
            raise Cancelled

    def faults(chosen: NDArray[np.intp], *, struck: bool) -> Array:
        plan, frames = _alone(skeleton, keyboard, [grips[k] for k in chosen])
        prior, targets = plan.section(0, plan.frames)
        problem = Problem(skeleton, prior[frames], targets.take(frames), SolveSettings())
        if struck:
            poses = solve.solve(skeleton, plan, processes=processes, cancelled=cancelled)[frames].reshape(problem.prior.shape)
        else:
            poses = problem.run(problem.prior.copy(), range(_ITERATIONS), look)
        return np.median(problem.faults(poses, look).reshape(frames.shape), axis=1)

    parts = np.split(np.arange(len(grips)), range(_AT_ONCE, len(grips), _AT_ONCE))
    result = np.concatenate([faults(part, struck=False) for part in parts])
    doubtful = np.flatnonzero(result > _DOUBTFUL)
    if well and len(doubtful):
        result[doubtful] = faults(doubtful, struck=True)
    return result


def _alone(skeleton: HandSkeleton, keyboard: Keyboard, grips: Sequence[Grip]) -> tuple[Plan, NDArray[np.intp]]:
    """A plan in which the grips are held one after the other, and frames (n, `_FRAMES`) in which each of them is."""
    strike = (_HOLD + _REST) * np.arange(len(grips)) + _REST
    notes = [(at, side, key, finger) for at, (side, keys) in zip(strike, grips, strict=True) for key, finger in keys]
    score = Score(tuple(NoteEvent(at, at + _HOLD, key + LOWEST, _LOUDNESS) for at, _, key, _ in notes))
    begin, hand, _, finger = (np.array(values) for values in zip(*notes, strict=True))
    fingering = Fingering(hand.astype(np.int8), (finger + 1).astype(np.int8), begin, begin + _HOLD)
    take = Take(0.0, _RATE, int((strike[-1] + _HOLD + _REST) * _RATE))
    plan = Plan(score, fingering, key_motion(score, fingering), Setting(skeleton, keyboard, take, manner(0.5, 0)))
    return plan, np.round((strike + _SETTLED) * _RATE).astype(int)[:, None] + np.arange(_FRAMES)
