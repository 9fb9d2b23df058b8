# SPDX-License-Identifier: GPL-3.0-or-later
"""How the piano's keys move for a score: the one profile that the animated keys, the planner and the solve all follow.

A key's position is its *share* of the travel: 0 at rest, 1 at the bottom. NumPy only.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..wire.keyboard import DAMPED, LET_OFF, LOWEST
from ..wire.notes import Fingering, Score

Array = NDArray[np.float64]

# Touch to key bottom: 25 ms at forte to 160 ms at piano (Goebl, Bresin and Galembo 2005); between them by equal ratios.
SLOWEST_ATTACK, FASTEST_ATTACK = 0.160, 0.025
SOFT, LOUD = 30, 105  # MIDI velocities at which those hold
HALF_RISE = 0.025  # from the bottom to the damper's falling back, and from there to rest
SAME_STROKE = 0.050  # strikes of one pitch closer than this are one stroke (both hands on one key)
SHORTEST_HOLD = 0.030  # from the strike to the damper's falling back
SHORTEST_GAP = 0.040  # from there to the next strike; a shorter one lets the key rise only part of the way
SETTLE = 0.015  # a finger's way from key to key: lifting off and coming down,
FINGER_SPEED = 2.5  # and metres per second between
SEMITONE = 0.0137  # mean width
FINGERS = range(1, 6)
REACH = 0.2  # metres between keys that a hand does not touch at one time,
LONG_REACH = 0.16  # and its long fingers alone
EARLY = 0.005  # seconds before its note ends at which a finger makes way by leaving
HIGHEST_TURN = 0.25  # share at which a key turns round again when it is struck as fast as can be
_SLOWEST = 2.0  # travels a second at which a key passes LET_OFF at least
_END_SLOPE = 1.0  # speed at the key bottom, in travels per attack: keys are stopped by felt, not by the finger

_U = np.linspace(0.0, 1.0, 1025)
_EASE = _U * _U * (3.0 - _END_SLOPE + (_END_SLOPE - 2.0) * _U)


def attack_duration(velocity: ArrayLike) -> Array:
    """Seconds from touch to key bottom for MIDI velocities."""
    loudness = np.clip((np.asarray(velocity, dtype=float) - SOFT) / (LOUD - SOFT), 0.0, 1.0)
    return SLOWEST_ATTACK * (FASTEST_ATTACK / SLOWEST_ATTACK) ** loudness


@dataclass(frozen=True)
class KeyStrokes:
    """When the key of each note moves. All arrays run over the score's notes (N), times in seconds.

    Notes of one pitch struck within 50 ms of each other share one stroke, and so all its times: `leader` is the note that owns it.
    """

    key: NDArray[np.intp]  # MIDI pitch - 21
    gives_way: NDArray[np.bool_]  # its finger leaves before the note ends, for what its hand plays next
    leader: NDArray[np.intp]
    touch: Array  # the key begins to go down
    strike: Array  # it passes LET_OFF: the hammer is let off
    bottom: Array
    leave: Array  # it begins to rise
    damped: Array  # it passes DAMPED on the way up: the sound ends
    up: Array  # it is at rest again, or turns round for the next stroke
    touch_share: Array  # share of the travel at `touch`: 0, or more where a repetition is too fast for a full rise
    up_share: Array  # the same at `up`


@dataclass(frozen=True)
class KeyCurve:
    """A key's share of its travel: cubic Hermite segments between K breakpoints, constant outside. Slopes per second."""

    times: Array  # (K,), rising
    share: Array  # (K,)
    slope_in: Array  # (K,) on the side of earlier times
    slope_out: Array  # (K,)

    def sample(self, times: ArrayLike) -> Array:
        """Share at any times, in the shape of `times`."""
        t = np.asarray(times, dtype=float)
        if len(self.times) == 0:
            return np.zeros(t.shape)
        inside = np.clip(t, self.times[0], self.times[-1])
        i = np.clip(np.searchsorted(self.times, inside, side="right") - 1, 0, len(self.times) - 2)
        span = self.times[i + 1] - self.times[i]
        u = (inside - self.times[i]) / span
        v = 1.0 - u
        return (
            v * v * (1.0 + 2.0 * u) * self.share[i]
            + u * u * (3.0 - 2.0 * u) * self.share[i + 1]
            + u * v * span * (v * self.slope_out[i] - u * self.slope_in[i + 1])
        )


@dataclass(frozen=True)
class KeyMotion:
    """All strokes of a piece, and the curves that they make."""

    strokes: KeyStrokes

    @cached_property
    def curves(self) -> dict[int, KeyCurve]:
        """Curve of each key that moves, by key index (MIDI pitch - 21)."""
        return _curves(self.strokes)

    @cached_property
    def strikes(self) -> dict[int, Array]:
        """When each key that moves is struck, in order, by key index."""
        own = np.flatnonzero(self.strokes.leader == np.arange(len(self.strokes.leader)))
        key, strike = self.strokes.key[own], self.strokes.strike[own]
        return {int(each): np.sort(strike[key == each]) for each in np.unique(key)}

    def at_frames(self, key: int, times: Array) -> Array:
        """Share of a key's travel (T,) at evenly spaced frames (at least two), which straight lines join.

        Fingers have poses at frames only, and the key goes with the finger that moves it. The two frames around a strike are such
        that the line between them passes LET_OFF at the strike itself.
        """
        if key not in self.curves:
            return np.zeros(len(times))
        curve, step = self.curves[key], times[1] - times[0]
        share = curve.sample(times)
        strike = self.strikes[key]
        strike = strike[(strike > times[0] - step) & (strike < times[-1] + step)]
        after = np.ceil((strike - times[0]) / step - 1e-9).astype(np.intp)
        late = after - (strike - times[0]) / step  # of a frame
        speed = (curve.sample(strike + 0.002) - curve.sample(strike - 0.002)) / 0.004
        rise = np.maximum(speed, _SLOWEST) * step  # in one frame at the strike's speed, as far as the key's way allows
        rise = np.minimum(rise, np.minimum((1.0 - LET_OFF) / np.maximum(late, 1e-6), LET_OFF / np.maximum(1.0 - late, 1e-6)))
        for frame, value in ((after, LET_OFF + late * rise), (after - 1, LET_OFF - (1.0 - late) * rise)):
            inside = (frame >= 0) & (frame < len(times))
            share[frame[inside]] = value[inside]
        return share

    def frame_curve(self, key: int, times: Array) -> KeyCurve:
        """The same as a curve, with breakpoints where its slope changes."""
        share = self.at_frames(key, times)
        slope = np.diff(share) / np.diff(times)
        slope_in, slope_out = np.concatenate([[0.0], slope]), np.concatenate([slope, [0.0]])
        kept = slope_in != slope_out
        return KeyCurve(times[kept], share[kept], slope_in[kept], slope_out[kept])


def key_motion(score: Score, fingering: Fingering) -> KeyMotion:
    """Strokes of every note of `score`, those that no finger plays included (they follow the MIDI)."""
    notes = score.notes
    key = np.array([note.pitch - LOWEST for note in notes], dtype=np.intp)
    velocity = np.array([note.velocity for note in notes], dtype=float)
    strike = np.where(fingering.played, fingering.strike, [note.onset for note in notes]).astype(float)
    offset = np.array([note.offset for note in notes], dtype=float)
    release = np.where(fingering.played, fingering.release, offset).astype(float)
    gives_way = release < offset - EARLY
    leader = _leaders(key, strike)
    last = np.full(len(notes), -np.inf)
    # A doubled note rests on the finger that strikes for it: it does not hold the key any longer than that finger does.
    by_finger = np.zeros(len(notes), dtype=bool)
    np.logical_or.at(by_finger, leader, fingering.played)
    np.maximum.at(last, leader, np.where(fingering.played | ~by_finger[leader], release, -np.inf))
    loudest = np.zeros(len(notes))
    np.maximum.at(loudest, leader, velocity)

    own = np.flatnonzero(leader == np.arange(len(notes)))
    own = own[np.lexsort((strike[own], key[own]))]
    free = _hand_free(key, gives_way, strike, release, fingering)
    attack = np.clip((strike - free) / LET_OFF, FASTEST_ATTACK, attack_duration(loudest))
    strokes = _strokes(key[own], strike[own], last[own], attack[own])
    where = np.empty(len(notes), dtype=np.intp)
    where[own] = np.arange(len(own))
    return KeyMotion(KeyStrokes(key, gives_way, leader, *(column[where[leader]] for column in strokes)))


def _hand_free(key: NDArray[np.intp], gives_way: NDArray[np.bool_], strike: Array, release: Array, fingering: Fingering) -> Array:
    """For each note the moment from which its finger may touch the key: it comes from another one, and has its hand with it."""
    free = np.full(len(key), -np.inf)
    previous: dict[tuple[int, int], int] = {}
    for note in np.argsort(strike, kind="stable"):
        if not fingering.played[note]:
            continue
        finger = (int(fingering.hand[note]), int(fingering.finger[note]))
        before = previous.get(finger)
        if before is not None and key[before] != key[note]:
            way = abs(int(key[note]) - int(key[before])) * SEMITONE
            free[note] = release[before] + HALF_RISE + SETTLE + way / FINGER_SPEED
        for number in FINGERS:
            other = previous.get((finger[0], number))
            if other is None or key[other] == key[note]:
                continue
            makes_way = gives_way[other] and release[other] < strike[note]
            reach = REACH if 1 in (finger[1], number) else LONG_REACH
            if makes_way or abs(int(key[note]) - int(key[other])) * SEMITONE > reach:
                free[note] = max(free[note], release[other] + HALF_RISE)
        previous[finger] = int(note)
    return free


def _leaders(key: NDArray[np.intp], strike: Array) -> NDArray[np.intp]:
    """For each note the first note of its stroke."""
    leader = np.arange(len(key))
    current: dict[int, int] = {}
    for note in np.argsort(strike, kind="stable"):
        first = current.get(int(key[note]))
        if first is not None and strike[note] - strike[first] < SAME_STROKE:
            leader[note] = first
        else:
            current[int(key[note])] = int(note)
    return leader


def _strokes(key: NDArray[np.intp], strike: Array, release: Array, attack: Array) -> tuple[Array, ...]:
    """Columns of KeyStrokes from `touch` on, for strokes in order of (key, strike)."""
    follows = np.concatenate([key[1:] == key[:-1], [False]]) if len(key) else np.zeros(0, dtype=bool)
    after = np.concatenate([follows[-1:], follows[:-1]])  # another stroke of the same key comes before
    interval = np.where(follows, np.roll(strike, -1) - strike, np.inf)
    # Where two strokes are so near that neither wish can be had in full, each has its part of the interval.
    hold = np.minimum(SHORTEST_HOLD, 0.45 * interval)
    gap = np.minimum(SHORTEST_GAP, 0.55 * interval)
    damped = np.minimum(np.maximum(release, strike + hold), strike + interval - gap)
    held = damped - strike
    gap_after = interval - held
    gap_before = np.where(after, np.roll(gap_after, 1), np.inf)

    up_share = HIGHEST_TURN * np.clip(1.0 - gap_after / SHORTEST_GAP, 0.0, 1.0)
    touch_share = np.where(after, np.roll(up_share, 1), 0.0)
    let_off = np.interp((LET_OFF - touch_share) / (1.0 - touch_share), _EASE, _U)  # share of the attack before the strike
    attack = np.minimum(attack, np.maximum(gap_before - HALF_RISE, 0.6 * gap_before) / let_off)
    attack = np.minimum(attack, np.maximum(held - HALF_RISE, 0.4 * held) / (1.0 - let_off))
    touch = strike - let_off * attack
    bottom = touch + attack
    next_touch = np.where(follows, np.roll(touch, -1), np.inf)
    leave = np.maximum(damped - HALF_RISE, bottom)
    up = np.minimum(damped + HALF_RISE, next_touch)
    return touch, strike, bottom, leave, damped, up, touch_share, up_share


def _curves(strokes: KeyStrokes) -> dict[int, KeyCurve]:
    own = np.flatnonzero(strokes.leader == np.arange(len(strokes.leader)))
    own = own[np.lexsort((strokes.strike[own], strokes.key[own]))]
    touch, bottom, leave, damped, up, low, high = (
        getattr(strokes, name)[own] for name in ("touch", "bottom", "leave", "damped", "up", "touch_share", "up_share")
    )
    zero, one = np.zeros(len(own)), np.ones(len(own))
    impact = _END_SLOPE * (1.0 - low) / (bottom - touch)
    # No steeper than either half of the rise allows, so that neither overshoots.
    rising = -0.75 / np.maximum(damped - leave, up - damped)
    times = np.stack([touch, bottom, leave, damped, up], axis=1)
    share = np.stack([low, one, one, DAMPED * one, high], axis=1)
    slope_in = np.stack([zero, impact, zero, rising, zero], axis=1)
    slope_out = np.stack([zero, zero, zero, rising, zero], axis=1)

    curves: dict[int, KeyCurve] = {}
    keys = strokes.key[own]
    for key in np.unique(keys):
        rows = keys == key
        t, s, i, o = (table[rows].ravel() for table in (times, share, slope_in, slope_out))
        # A key that turns round where it is struck again, or leaves the bottom as it arrives, has one breakpoint there.
        keep = np.concatenate([[True], np.diff(t) > 1e-6])
        i_kept, o_kept = i[keep], o.copy()
        dropped = np.flatnonzero(~keep)
        o_kept[dropped - 1] = o[dropped]
        curves[int(key)] = KeyCurve(t[keep], s[keep], i_kept, o_kept[keep])
    return curves
