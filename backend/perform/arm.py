# SPDX-License-Identifier: GPL-3.0-or-later
"""What the arm adds to a wrist's path: breaths in rests, arcs of leaps, weight, and the forearm's rotation."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide

from .easing import ease, hermite
from .playable import TOGETHER

if TYPE_CHECKING:
    from .planner import Part

Array = NDArray[np.float64]

_LIFT = 0.05  # height a hand comes from, and goes to, when it rests
_BACK = 0.05
_WAITING = 0.8  # share of both at which a hand waits; it takes a breath before it begins
_BREATH = 0.12  # seconds without a key down in which a hand begins to lift: the end of a slur
_BREATH_RISE, _HIGHEST_BREATH = 0.30, 0.6  # share of _LIFT for each further second, and the largest
_FALL = 0.26  # seconds that a hand takes to come down on what it plays next, at most
_WIDE = 0.07  # metres: a leap
_DROP = 0.010  # of the wrist with a very loud note
_ACCENT_DROP = 0.006  # with a note that stands out from those around it
_POISE = 0.3  # share of a drop by which the wrist rises before it
_AROUND = 1.5  # seconds to either side that make up "around"
_ROLL = np.radians(5)  # of the forearm to thumb or little finger
_SHAKE = np.radians(2.8)  # to either side, in trills and tremolos, beside the leaning
_SHAKE_GAP = (0.20, 0.28)  # seconds between notes: at the first the whole of it, at the second none
_QUIET = 0.12  # seconds from the last such note to rest
_CROSSING = np.radians(9)  # of the hand to the thumb's side where the thumb passes under a finger, or a finger over the thumb:
_CROSSING_TIME = 0.1  # seconds before and after; between keys that are let go and touched so much apart, at most,
_CROSSING_KEYS = 5  # and not farther from each other; what is farther is a leap
_REPEAT = np.radians(1.2)  # to either side, on repeated notes


def rests(part: "Part", times: Array, *, size: float = 1.0) -> tuple[Array, Array]:
    """Height above, and distance in front of, the playing place (F,): before the first note, after the last, in rests.

    size: factor of the breaths in between.
    """
    away = np.zeros_like(times)
    if not len(part.key):
        return np.full_like(times, _LIFT), np.full_like(times, _BACK)
    touch, up = part.strokes.touch, np.maximum.accumulate(part.strokes.up)
    breath_in = _WAITING + (1.0 - _WAITING) * ease((times - touch[0] + _FALL + 0.8) / 0.8)
    away = np.maximum(away, breath_in * (1.0 - ease((times - touch[0] + _FALL) / (_FALL - 0.02))))
    away = np.maximum(away, ease((times - (up[-1] + 0.15)) / 0.9))
    gaps = touch[1:] - up[:-1]
    for k in np.flatnonzero(gaps > _BREATH):
        # A breath: the longer the rest, the higher the hand.
        height = min(size * _BREATH_RISE * (gaps[k] - _BREATH), _HIGHEST_BREATH)
        top = _top(float(up[k]), float(touch[k + 1]))
        inside = slice(*np.searchsorted(times, (up[k], touch[k + 1])))
        t = times[inside]
        rise = ease((t - up[k]) / (top - up[k]))
        fall = 1.0 - ease((t - top) / (touch[k + 1] - 0.02 - top))
        away[inside] = np.maximum(away[inside], height * np.minimum(rise, fall))
    return _LIFT * away, _BACK * away * away


def _top(begin: float, end: float) -> float:
    """When a hand in the air between two moments is highest: half way, and never long before it comes down."""
    return max(0.5 * (begin + end), end - _FALL)


def leap_arcs(part: "Part", place: Array, times: Array) -> Array:
    """Heights (F,): wide moves go through the air in an arc. place: (n,) x of the wrist that each note wants."""
    arc = np.zeros_like(times)
    touch, up = part.strokes.touch, np.maximum.accumulate(part.strokes.up)
    for k in np.flatnonzero(np.abs(np.diff(place)) > _WIDE):
        end = float(touch[k + 1])
        begin = min(float(up[k]), end - 0.08)
        inside = slice(*np.searchsorted(times, (begin, end)))
        top = _top(begin, end)
        u = np.interp(times[inside], (begin, top, end), (-1.0, 0.0, 1.0))
        height = min(0.08 * abs(place[k + 1] - place[k]), 0.025, 0.08 * (end - begin))
        arc[inside] = np.maximum(arc[inside], height * (1.0 - u * u) ** 2)
    return arc


def weight_drops(part: "Part", times: Array) -> Array:
    """The arm's weight (F,): before a loud note the wrist rises a little, with the note it drops, then it comes back."""
    drop = np.zeros_like(times)
    strike, loudness = part.strokes.strike, part.loudness
    gap = np.diff(strike, prepend=-np.inf)
    room = np.clip(gap / 0.5, 0.0, 1.0) ** 2  # no time for it in fast playing
    sizes = _DROP * np.clip(loudness - 0.35, 0.0, 0.5) / 0.5 * room
    sizes += _ACCENT_DROP * np.clip((_accents(strike, loudness) - 0.05) / 0.15, 0.0, 1.0) * np.clip(gap / 0.25, 0.0, 1.0) ** 2
    for moment, size in zip(strike, sizes, strict=True):
        if size < 0.0003:
            continue
        inside = slice(*np.searchsorted(times, (moment - 0.32, moment + 0.35)))
        t = times[inside] - moment
        lift = _POISE * np.exp(-(((t + 0.15) / 0.07) ** 2))
        fall = np.exp(-(((t - 0.05) / 0.09) ** 2))
        push = size * (lift - fall)
        drop[inside] = np.where(np.abs(push) > np.abs(drop[inside]), push, drop[inside])
    return drop


def _accents(strike: Array, loudness: Array) -> Array:
    """How much louder (n,) notes are than those of the hand around them. strike: rising."""
    total = np.concatenate([[0.0], np.cumsum(loudness)])
    first, last = np.searchsorted(strike, strike - _AROUND), np.searchsorted(strike, strike + _AROUND, side="right")
    return loudness - (total[last] - total[first]) / np.maximum(last - first, 1)


def rolls(part: "Part", times: Array) -> Array:
    """Supination (F,): the forearm leans to the fingers that play, and shakes trills and repeated notes out at their rate."""
    if not len(part.key):
        return np.zeros_like(times)
    each = _ROLL * (part.finger - 2.0) / 2.0  # little finger plays: thumb's side up
    moments, first, count = np.unique(np.round(part.strokes.strike, 2), return_index=True, return_counts=True)
    lean = np.add.reduceat(each, first) / count
    kernel = np.hanning(max(int(0.14 / (times[1] - times[0])) | 1, 3))
    smooth = np.convolve(
        np.pad(np.interp(times, moments, lean), len(kernel) // 2, mode="edge"), kernel / kernel.sum(), mode="valid"
    )
    if len(moments) < 3:
        return smooth
    repeated = np.append(False, (np.diff(part.key[first]) == 0) & (count[1:] == 1) & (count[:-1] == 1))
    return smooth + _shakes(moments, lean, times) + _bounces(moments[repeated], np.diff(moments, prepend=-np.inf)[repeated], times)


def crossings(part: "Part", times: Array) -> Array:
    """Abduction to the thumb's side (F,): where the thumb passes under a finger, or a finger over the thumb, the hand turns as they
    need it. Without, a hand beside the other one may find the opposite way round."""
    turn = np.zeros_like(times)
    strokes, outwards = part.strokes, 1 if part.side is HandSide.RIGHT else -1
    step = outwards * np.diff(part.key)
    crosses = (step * np.diff(part.finger) < 0) & (np.minimum(part.finger[1:], part.finger[:-1]) == 0)
    crosses &= (np.abs(step) <= _CROSSING_KEYS) & (strokes.touch[1:] - strokes.leave[:-1] < _CROSSING_TIME)
    crosses &= np.diff(strokes.strike) > TOGETHER
    for moment in strokes.strike[1:][crosses]:
        inside = slice(*np.searchsorted(times, (moment - 3.0 * _CROSSING_TIME, moment + 3.0 * _CROSSING_TIME)))
        turn[inside] = np.maximum(turn[inside], _CROSSING * np.exp(-(((times[inside] - moment) / _CROSSING_TIME) ** 2)))
    return turn


def _shakes(moments: Array, lean: Array, times: Array) -> Array:
    """(F,) to and fro wherever the leaning goes to and fro from note to note, farthest at each strike."""
    gap, step = np.diff(moments), np.diff(lean)
    turns = np.concatenate([[False], step[1:] * step[:-1] < 0.0, [False]])
    low, high = _SHAKE_GAP
    quick = np.clip((high - gap) / (high - low), 0.0, 1.0)
    quick = np.minimum(np.append(quick, quick[-1]), np.append(quick[0], quick))
    to = np.where(turns, quick * _SHAKE * np.sign(np.append(0.0, step)), 0.0)
    # Quiet before and after, so that what shakes does not begin long before its first note.
    alone = np.flatnonzero(gap > high)
    quiet = np.concatenate([moments[:1] - _QUIET, moments[alone] + _QUIET, moments[alone + 1] - _QUIET, moments[-1:] + _QUIET])
    knots = np.concatenate([moments, quiet])
    order = np.argsort(knots)
    return hermite(times, knots[order], np.append(to, np.zeros_like(quiet))[order], np.zeros_like(knots))


def _bounces(moments: Array, gap: Array, times: Array) -> Array:
    """(F,) away from the key between repeated notes and back to it with each. gap: seconds since the note before."""
    turn = np.zeros_like(times)
    for moment, wait in zip(moments, gap, strict=True):
        if wait < 0.35:
            inside = slice(*np.searchsorted(times, (moment - wait, moment)))
            turn[inside] = _REPEAT * (1.0 - np.cos(2.0 * np.pi * (times[inside] - moment) / wait))
    return turn
