# SPDX-License-Identifier: GPL-3.0-or-later
"""When each finger really strikes and leaves, once it is known which finger plays what."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.key_motion import HALF_RISE
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import UNPLAYED, Score, pitch_name

from .fingering_costs import CostTables
from .hand_slices import SLIDE_PACE
from .playable import ROLL, TOGETHER, Playable, roll
from .slides import passed

Array = NDArray[np.float64]

_KEYBOARD = Keyboard()

RETURN_TIME = 0.05  # seconds that a key is given to rise before it is struck again; half the interval where that is short
HAND_OVER = 0.10  # the same where the other hand strikes it, whose finger needs the place; at most this
HAND_OVER_SHARE = 0.3  # of the interval
SHORTEST_PRESS = 0.03
LIFT = 0.055  # seconds from leaving one key to striking the next: the key rises, the next goes down; without the way between
FINGER_SPEED = 0.9  # metres a second at which finger and hand travel,
LEAP_ACCELERATION = 120.0  # and m/s2 that leaps ask of both together, to set out and to come to rest
IN_TIME = 0.028  # seconds from leaving a white key to the strike for which the hand has to go in
GIVE = 0.008  # metres beyond the practical stretch that a hand gives rather than let a key go (with 12 it lies on neighbours),
GIVE_LONG = 0.003  # and between long fingers, which open less (with 6 a small hand held a seventh like a star, on its neighbours)
STRETCHED = 0.003  # metres short of the longest practical stretch from which on a hand is stretched
STRETCH = 0.012  # metres beyond the practical stretch of two fingers that a chord is still struck at once with
LEGATO = 0.06  # seconds after a strike up to which a note ends that is bound to it, at most,
LONG = 0.3  # and that such a note has lasted where a stretched hand lets go of it: a shorter one would lose too much
SLIP = 0.06  # seconds between two strikes that one hand cannot make, as recordings have where a finger slips
LONGEST_WAY = 0.3  # seconds: what ends earlier than this before a strike is in nobody's way


@dataclass
class _Down:
    """A key that a hand has down."""

    index: int
    key: int
    finger: int  # 0-4


def travel_time(way: Array | float) -> Array:
    """Seconds for a way, metres, beyond what a hand reaches from where it is: steps evenly, leaps faster the farther they go."""
    return np.minimum(way / FINGER_SPEED, 2.0 * np.sqrt(way / LEAP_ACCELERATION))


def strikes_and_releases(
    score: Score,
    playable: Playable,
    finger: NDArray[np.int8],
    tables: dict[HandSide, CostTables],
    parted: Collection[tuple[int, int]] = (),
) -> tuple[Array, Array]:
    """Strike and release times (N,), seconds. A finger leaves early only as far as what comes next needs it.

    parted: pairs of notes that one hand cannot hold together although their fingers could: the first leaves for the second.
    """
    for side in HandSide:
        _spread_slips(score, playable, finger, tables[side], side)
    strike = np.array([note.onset for note in score.notes], dtype=np.float64) + playable.delay
    release = playable.offset.copy()
    _make_way(score, playable, finger, tables, parted, strike=strike, release=release)
    _let_keys_rise(score, playable, finger, strike=strike, release=release)
    return strike, np.maximum(release, strike + SHORTEST_PRESS)


def roll_stretched(score: Score, playable: Playable, chord: list[int], finger: NDArray[np.int8], tables: CostTables) -> None:
    """Rolls a chord, three keys or more under fingers in order, that is narrow enough for the hand, but has two keys too far apart
    for the fingers that must take them."""
    if len(chord) < 3 or playable.delay[chord].any():
        return
    chord = sorted(chord, key=lambda index: score.notes[index].pitch)
    key = np.array([score.notes[index].pitch - LOWEST for index in chord])
    used = finger[chord] - 1
    if not ((np.diff(used) > 0).all() or (np.diff(used) < 0).all()):
        return
    excess = float(tables.conflict[key[:, None], key, used[:, None], used].max()) / 1000.0
    if excess > STRETCH:
        roll(score, playable, chord, excess)


def _spread_slips(score: Score, playable: Playable, finger: NDArray[np.int8], tables: CostTables, side: HandSide) -> None:
    """Rolls strikes that stand alone and come too soon after each other for two keys that their fingers cannot have at once: chords
    that were not struck quite together, and slips."""
    notes = score.notes
    mine = np.flatnonzero((playable.hand == side) & (finger != UNPLAYED))
    onset = np.array([notes[index].onset for index in mine])
    for start, stop in zip(*_alone(onset), strict=True):
        roll_stretched(score, playable, mine[start:stop].tolist(), finger, tables)
        second = mine[stop - 1]
        for first in mine[start : stop - 1]:
            interval = notes[second].onset - notes[first].onset
            pair = notes[first].pitch - LOWEST, notes[second].pitch - LOWEST, finger[first] - 1, finger[second] - 1
            conflict = float(tables.conflict[pair]) / 1000.0
            half = min(0.5 * (SHORTEST_PRESS + LIFT + travel_time(conflict) - interval), ROLL)
            if interval <= TOGETHER or conflict <= GIVE or half <= 0.0 or playable.delay[[first, second]].any():
                continue
            playable.delay[[first, second]] = -half, half
            names = f"{pitch_name(notes[first].pitch)} {pitch_name(notes[second].pitch)} at {notes[first].onset:.2f} s"
            playable.remarks.append(
                f"{names}: too soon after each other for one hand, rolled over {1000 * (interval + 2 * half):.0f} ms"
            )


def _alone(onset: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ranges of onsets that follow each other within `SLIP`, all of them together too."""
    edges = np.flatnonzero(np.diff(onset, prepend=-np.inf, append=np.inf) > SLIP)
    start, stop = edges[:-1], edges[1:]
    near = onset[stop - 1] - onset[start] <= SLIP
    return start[near], stop[near]


def _make_way(
    score: Score,
    playable: Playable,
    finger: NDArray[np.int8],
    tables: dict[HandSide, CostTables],
    parted: Collection[tuple[int, int]],
    *,
    strike: Array,
    release: Array,
) -> None:
    """A finger leaves its key in time for what its hand strikes next, where it cannot stay."""
    down: dict[int, list[_Down]] = {side: [] for side in HandSide}
    for index in np.argsort(strike, kind="stable").tolist():
        if finger[index] == UNPLAYED:
            continue
        side = HandSide(int(playable.hand[index]))
        now = _Down(index, score.notes[index].pitch - LOWEST, int(finger[index]) - 1)
        time = strike[index]
        stays = []
        for other in down[side]:
            if release[other.index] < time - LONGEST_WAY or other.key == now.key:
                continue
            if _slides(other, now, time - strike[other.index]):
                cleared = time + passed(other.key, now.key, time - strike[other.index], _KEYBOARD)
                release[other.index] = cleared + HALF_RISE
                continue
            stays.append(other)
            pair = other.key, now.key, other.finger, now.finger
            conflict, beyond = tables[side].conflict[pair] / 1000.0, tables[side].beyond[pair] / 1000.0
            held = time - strike[other.index]
            give = GIVE if 0 in (other.finger, now.finger) else GIVE_LONG
            same_finger = other.finger == now.finger
            rolled = playable.delay[other.index] != playable.delay[index]
            parts = held > LONG and beyond > -STRETCHED and release[other.index] < time + LEGATO
            cannot = (other.index, now.index) in parted
            lifts = same_finger or parts or cannot or (conflict > give and (held > TOGETHER or rolled))
            if lifts or (held > TOGETHER and _moves_in(other, now)):
                way = (LIFT if lifts else IN_TIME) + travel_time(conflict)
                latest = held - SHORTEST_PRESS if rolled else 0.5 * held
                release[other.index] = min(release[other.index], time - min(way, latest))
        down[side] = [*stays, now]


def _slides(other: _Down, now: _Down, interval: float) -> bool:
    """Whether one finger goes on to the neighbouring key of that colour without leaving the keys."""
    near = abs(now.key - other.key) <= 3 and _KEYBOARD.black[now.key] == _KEYBOARD.black[other.key]
    return near and now.finger == other.finger and interval <= SLIDE_PACE


def _moves_in(other: _Down, now: _Down) -> bool:
    """Whether the hand has to go in, for a short finger to reach a black key, while a long one holds a white key's front."""
    return bool(_KEYBOARD.black[now.key]) and now.finger in (0, 4) and not _KEYBOARD.black[other.key] and other.finger in (1, 2, 3)


def _let_keys_rise(score: Score, playable: Playable, finger: NDArray[np.int8], *, strike: Array, release: Array) -> None:
    following: dict[int, int] = {}
    for index in np.argsort(-strike, kind="stable").tolist():
        if finger[index] == UNPLAYED:
            continue
        pitch = score.notes[index].pitch
        if pitch in following:
            after = following[pitch]
            interval = strike[after] - strike[index]
            room = RETURN_TIME
            if playable.hand[after] != playable.hand[index]:
                room = max(room, min(HAND_OVER, HAND_OVER_SHARE * interval))
            release[index] = min(release[index], strike[after] - min(room, 0.5 * interval))
        following[pitch] = index
