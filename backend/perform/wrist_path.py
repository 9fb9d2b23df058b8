# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a hand goes: a smooth path of the wrist from the keys its fingers have to play, planned before any finger moves."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import Keyboard

from . import block_solver
from .posture import Posture

if TYPE_CHECKING:
    from .planner import Part, Take

Array = NDArray[np.float64]

PATH_RATE = 30.0  # knots a second
# Where on its key a finger likes to stand (y, metres): thumb and little finger near the edge, the long ones further in.
WHITE_PLACE = np.array([0.018, 0.034, 0.040, 0.034, 0.022])
BLACK_PLACE = np.array([0.066, 0.076, 0.080, 0.078, 0.070])
_SPREAD = np.array([0.004, 0.012])  # standard deviation of the wish, x and y, while a key is struck
_HOLD_SPREAD = np.array([0.02, 0.03])  # and while it is only held
_ACCELERATION = np.array([5.0, 5.0])  # m/s2 that a wrist accepts as readily as one standard deviation
_ELBOW = np.array([0.22, -0.34])  # of the right arm: beside the player, in front of the keys
_TURN_SHARE = 0.35  # of the forearm's direction that the hand follows; the rest is taken up by the wrist
_LIFT = 0.05  # height a hand comes from, and goes to, when it rests
_BACK = 0.05
_DROP = 0.010  # of the wrist with a very loud note
_ROLL = np.radians(5)  # of the forearm to thumb or little finger
_IDLE_WEIGHT = 1.0 / 0.03**2  # of an idle hand's wish to be out of the other one's way; what weighs less is idle
_ROOM, _ROOM_FADE = 0.19, 0.09  # distance of the wrists, sideways, at which hands begin to be in each other's way
_OVER_BY, _UNDER_BY = (0.012, 0.025), 0.006  # y and z by which the upper hand goes in and up; z by which the lower goes down
FOLD = np.radians(14)  # of the thumbs


def wrist_paths(
    hands: "Sequence[Part]",
    posture: Posture,
    *,
    keyboard: Keyboard,
    take: "Take",
    weight: float = 1.0,
    look: Callable[[], None] = lambda: None,
) -> Array:
    """(F, H, 6) place and turns of both wrists. `weight`: factor of the arm's drops and turns. `look` may raise, to stop."""
    times = take.times
    knots = np.arange(take.start, times[-1] + 2.0 / PATH_RATE, 1.0 / PATH_RATE)
    places = _smooth_places(hands, posture, keyboard, knots, look)
    result = np.repeat(posture.dofs[None, :, :6], take.frames, axis=0)
    for part in hands:
        look()
        path = result[:, part.side]
        for axis in range(2):
            path[:, axis] = _interpolate(times, knots, places[part.side, :, axis])
        height, back = _rest_offsets(part, times)
        path[:, 1] -= back
        path[:, 2] += height + _leap_arcs(part, posture, keyboard, times) + weight * _weight_drops(part, times)
        path[:, 3] += _turn_out(part.side, path[:, :2])
        path[:, 5] += weight * _rolls(part, times)
    return result


def _home(side: HandSide, posture: Posture) -> Array:
    middle = posture.reach[side, 2, :2]
    return np.array([0.17 if side is HandSide.RIGHT else -0.17, 0.036]) - middle


def _smooth_places(hands: "Sequence[Part]", posture: Posture, keyboard: Keyboard, knots: Array, look: Callable[[], None]) -> Array:
    """(H, K, 2): least squares between where notes want the wrists and little acceleration; an idle hand makes room."""
    smoothness = np.tile((PATH_RATE**2 / _ACCELERATION) ** 2, 2)

    def smooth(weight: Array, wish: Array) -> Array:
        weight, wish = (np.moveaxis(values, 0, 1).reshape(len(knots), 4) for values in (weight, wish))
        path = block_solver.solve_diagonal(weight, smoothness, wish, look)
        return np.moveaxis(path.reshape(len(knots), 2, 2), 1, 0)

    weight, wish = (np.stack(pair) for pair in zip(*(_wishes(part, posture, keyboard, knots) for part in hands), strict=True))
    places = smooth(weight, wish)
    between = places[HandSide.RIGHT, :, 0] - places[HandSide.LEFT, :, 0]
    idle = weight[..., 0] < _IDLE_WEIGHT
    crowded = (between < _ROOM) & (idle[HandSide.RIGHT] != idle[HandSide.LEFT])
    if not crowded.any():
        return places
    for side, sign in ((HandSide.RIGHT, 1.0), (HandSide.LEFT, -1.0)):
        moved = crowded & idle[side]
        aside = places[1 - side, :, 0] + sign * (_ROOM + 0.03)
        weight[side, moved, 0] += _IDLE_WEIGHT
        wish[side, moved, 0] += _IDLE_WEIGHT * aside[moved]
    return smooth(weight, wish)


def _wishes(part: "Part", posture: Posture, keyboard: Keyboard, knots: Array) -> tuple[Array, Array]:
    """Weights (K, 2) of where one hand's notes want its wrist, and those places times their weights."""
    weight = np.full((len(knots), 2), 1e-9)
    wish = weight * _home(part.side, posture)
    if not len(part.key):
        weight += 1.0
        return weight, weight * _home(part.side, posture)
    strokes = part.strokes
    y = np.where(keyboard.black[part.key], BLACK_PLACE[part.finger], WHITE_PLACE[part.finger])
    goal = np.stack([keyboard.x[part.key], y], axis=1) - posture.reach[part.side, part.finger, :2]
    first = np.searchsorted(knots, np.minimum(strokes.touch, strokes.strike - 0.03))
    struck = np.searchsorted(knots, np.maximum(strokes.bottom, strokes.strike + 0.03)) + 1
    left = np.searchsorted(knots, strokes.leave)
    for k in range(len(part.key)):
        for begin, end, spread in ((first[k], struck[k], _SPREAD), (struck[k], left[k], _HOLD_SPREAD)):
            share = 1.0 / spread**2
            weight[begin:end] += share
            wish[begin:end] += share * goal[k]
    # Before the first and after the last note the hand waits there.
    for begin, end, k in ((0, first[0], 0), (left[-1], len(knots), len(part.key) - 1)):
        weight[begin:end] += 1.0 / 0.05**2
        wish[begin:end] += goal[k] / 0.05**2
    return weight, wish


def _interpolate(times: Array, knots: Array, values: Array) -> Array:
    """Catmull-Rom through evenly spaced knots."""
    slope = np.gradient(values, knots)
    return hermite(times, knots, values, slope)


def hermite(times: Array, knots: Array, values: Array, slopes: Array) -> Array:
    """Cubic Hermite interpolation, constant outside the knots."""
    times = np.clip(times, knots[0], knots[-1])
    i = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    span = knots[i + 1] - knots[i]
    u = (times - knots[i]) / span
    v = 1.0 - u
    return (
        v * v * (1.0 + 2.0 * u) * values[i]
        + u * u * (3.0 - 2.0 * u) * values[i + 1]
        + u * v * span * (v * slopes[i] - u * slopes[i + 1])
    )


def ease(u: Array) -> Array:
    """Minimum-jerk step from 0 to 1 (Flash & Hogan 1985)."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)


def _rest_offsets(part: "Part", times: Array) -> tuple[Array, Array]:
    """Height above, and distance in front of, the playing place: before the first note, after the last, in long rests."""
    away = np.zeros_like(times)
    if not len(part.key):
        return np.full_like(times, _LIFT), np.full_like(times, _BACK)
    touch, up = part.strokes.touch, np.maximum.accumulate(part.strokes.up)
    away = np.maximum(away, 1.0 - ease((times - (touch[0] - 0.9)) / 0.75))
    away = np.maximum(away, ease((times - (up[-1] + 0.15)) / 0.9))
    gaps = touch[1:] - up[:-1]
    for k in np.flatnonzero(gaps > 0.35):
        # A breath: the longer the rest, the higher the hand.
        size = min(0.12 * (gaps[k] - 0.25), 0.5)
        middle = up[k] + 0.45 * gaps[k]
        inside = slice(*np.searchsorted(times, (up[k], touch[k + 1])))
        t = times[inside]
        rise = ease((t - up[k]) / (middle - up[k]))
        fall = 1.0 - ease((t - middle) / (touch[k + 1] - 0.02 - middle))
        away[inside] = np.maximum(away[inside], size * np.minimum(rise, fall))
    return _LIFT * away, _BACK * away * away


def _leap_arcs(part: "Part", posture: Posture, keyboard: Keyboard, times: Array) -> Array:
    """Wide moves go through the air in an arc."""
    arc = np.zeros_like(times)
    strokes = part.strokes
    place = keyboard.x[part.key] - posture.reach[part.side, part.finger, 0]
    up = np.maximum.accumulate(strokes.up) if len(part.key) else strokes.up
    for k in np.flatnonzero(np.abs(np.diff(place)) > 0.07):
        begin, end = min(up[k], strokes.touch[k + 1] - 0.08), strokes.touch[k + 1]
        inside = slice(*np.searchsorted(times, (begin, end)))
        u = (times[inside] - begin) / (end - begin)
        height = min(0.12 * abs(place[k + 1] - place[k]), 0.035, 0.12 * (end - begin))
        arc[inside] = np.maximum(arc[inside], height * (4.0 * u * (1.0 - u)) ** 2)
    return arc


def _weight_drops(part: "Part", times: Array) -> Array:
    """The arm's weight: before a loud note the wrist rises a little, with the note it drops, then it comes back."""
    drop = np.zeros_like(times)
    strike, loudness = part.strokes.strike, part.loudness
    previous = np.concatenate([[-np.inf], strike[:-1]])
    room = np.clip((strike - previous) / 0.5, 0.0, 1.0) ** 2  # no time for it in fast playing
    for moment, size in zip(strike, _DROP * np.clip(loudness - 0.35, 0.0, 0.5) / 0.5 * room, strict=True):
        if size < 0.0003:
            continue
        inside = slice(*np.searchsorted(times, (moment - 0.32, moment + 0.35)))
        t = times[inside] - moment
        lift = 0.6 * np.exp(-(((t + 0.15) / 0.07) ** 2))
        fall = np.exp(-(((t - 0.05) / 0.09) ** 2))
        push = size * (lift - fall)
        drop[inside] = np.where(np.abs(push) > np.abs(drop[inside]), push, drop[inside])
    return drop


def _rolls(part: "Part", times: Array) -> Array:
    """Supination: the forearm leans to the finger that plays; what makes trills and tremolos easy."""
    if not len(part.key):
        return np.zeros_like(times)
    lean = _ROLL * (part.finger - 2.0) / 2.0  # little finger plays: thumb's side up
    moments, first = np.unique(np.round(part.strokes.strike, 2), return_index=True)
    sums = np.add.reduceat(lean, first) / np.diff(np.append(first, len(lean)))
    roll = np.interp(times, moments, sums)
    kernel = np.hanning(max(int(0.14 / (times[1] - times[0])) | 1, 3))
    return np.convolve(np.pad(roll, len(kernel) // 2, mode="edge"), kernel / kernel.sum(), mode="valid")


def _turn_out(side: HandSide, place: Array) -> Array:
    """Abduction (to the thumb's side) that follows from the forearm's direction."""
    elbow = _ELBOW * (1.0 if side is HandSide.RIGHT else -1.0, 1.0)
    forearm = place - elbow
    clockwise = np.arctan2(forearm[:, 0], np.maximum(forearm[:, 1], 0.15))
    towards_thumb = -clockwise if side is HandSide.RIGHT else clockwise
    return np.clip(_TURN_SHARE * towards_thumb, -0.35, 0.35)


def give_way(wrists: Array, *, rate: float) -> Array:
    """Where hands come close, the one further in goes over, the other under and back. Changes wrists (F, H, 6).

    Returns how close they are (F,), 0 to 1: thumbs should fold in by that share of `FOLD`.
    """
    between = wrists[:, HandSide.RIGHT, :2] - wrists[:, HandSide.LEFT, :2]
    close = np.clip((_ROOM - np.abs(between[:, 0])) / _ROOM_FADE, 0.0, 1.0)
    if not close.any():
        return close
    kernel = np.hanning(2 * int(0.25 * rate) + 1)
    kernel /= kernel.sum()

    def even(values: Array) -> Array:
        half = len(kernel) // 2
        return np.convolve(np.pad(values, half, mode="edge"), kernel, mode="valid")

    close = even(ease(close))
    upper = even(np.tanh(even(between[:, 1]) / 0.01))  # 1: the right hand over, -1: the left
    for side, sign in ((HandSide.RIGHT, 1.0), (HandSide.LEFT, -1.0)):
        over = close * sign * upper
        wrists[:, side, 1] += _OVER_BY[0] * over
        wrists[:, side, 2] += np.where(over > 0.0, _OVER_BY[1], _UNDER_BY) * over
    return close
