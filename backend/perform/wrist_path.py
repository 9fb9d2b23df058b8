# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a hand goes: a smooth path of the wrist from the keys its fingers have to play, planned before any finger moves."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import Keyboard

from . import arm, block_solver
from .easing import ease, evened, hermite
from .posture import Posture

if TYPE_CHECKING:
    from .planner import Part, Take

Array = NDArray[np.float64]

PATH_RATE = 30.0  # knots a second,
_FIRST_KNOT = -1.0  # from this time on, where takes begin
# Where on its key a finger likes to stand (y, metres): thumb and little finger near the edge, the long ones further in.
WHITE_PLACE = np.array([0.018, 0.034, 0.040, 0.034, 0.022])
BLACK_PLACE = np.array([0.061, 0.074, 0.078, 0.076, 0.064])
_SPREAD = np.array([0.004, 0.012])  # standard deviation of the wish, x and y, while a key is struck
_HOLD_SPREAD = np.array([0.02, 0.03])  # and while it is only held
_WAIT_SPREAD = np.array([0.15, 0.05])  # and where it waits for the next one: it does not swing on as it left, past the keys,
_REST = 0.5  # for so many seconds and more
_PLAYING = 1.0  # weight of a wish from which on it is a note's
_ACCELERATION = np.array([13.0, 5.0])  # m/s2 that a wrist accepts as readily as one standard deviation: sideways as people's
_ELBOW = np.array([0.22, -0.34])  # of the right arm: beside the player, in front of the keys
_TURN_SHARE = 0.35  # of the forearm's direction that the hand follows; the rest is taken up by the wrist
_IDLE_WEIGHT = 1.0 / 0.03**2  # of an idle hand's wish to be out of the other one's way; what weighs less is idle
_ROOM, _ROOM_FADE = 0.19, 0.09  # distance of the wrists, sideways, at which hands begin to be in each other's way
_ROOMY = 0.22  # and to which an idle one makes room
_OVER_BY = 0.040, 0.050  # metres by which the upper hand goes in (the lower one out as much) and up
_ROUNDED = 0.25  # seconds over which this begins and ends
_INWARDS = 0.01  # metres by which a hand is clearly further in
_CHANGE = 2.0  # seconds of the wrong hand being over that are better than changing places right above each other
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
    # At the same times wherever the take begins, for a part of it to be planned as in the whole.
    knots = np.arange(min(_FIRST_KNOT, take.start), times[-1] + 2.0 / PATH_RATE, 1.0 / PATH_RATE)
    knots = knots[np.searchsorted(knots, take.start, side="right") - 1 :]
    places = _smooth_places(hands, posture, keyboard, knots, look)
    result = np.repeat(posture.dofs[None, :, :6], take.frames, axis=0)
    for part in hands:
        look()
        path = result[:, part.side]
        for axis in range(2):
            path[:, axis] = _interpolate(times, knots, places[part.side, :, axis])
        height, back = arm.rests(part, times, size=weight)
        arcs = arm.leap_arcs(part, keyboard.x[part.key] - posture.reach[part.side, part.finger, 0], times)
        path[:, 1] -= back
        path[:, 2] += np.maximum(height, arcs) + weight * arm.weight_drops(part, times)
        path[:, 3] += _turn_out(part.side, path[:, :2]) + arm.crossings(part, times)
        path[:, 5] += weight * arm.rolls(part, times)
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
    crowded = (between < _ROOM) & idle.any(axis=0)
    if not crowded.any():
        return places
    middle = places[..., 0].mean(axis=0)
    for side, sign in ((HandSide.RIGHT, 1.0), (HandSide.LEFT, -1.0)):
        moved = crowded & idle[side]
        # Where both are idle, each goes half of the way.
        aside = np.where(idle[1 - side], middle + sign * 0.5 * _ROOMY, places[1 - side, :, 0] + sign * _ROOMY)
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
    goal = _below(part.side, np.stack([keyboard.x[part.key], y], axis=1), posture.reach[part.side, part.finger, :2])
    first = np.searchsorted(knots, np.minimum(strokes.touch, strokes.strike - 0.03))
    struck = np.searchsorted(knots, np.maximum(strokes.bottom, strokes.strike + 0.03)) + 1
    left = np.searchsorted(knots, strokes.leave)
    for k in range(len(part.key)):
        for begin, end, spread in ((first[k], struck[k], _SPREAD), (struck[k], left[k], _HOLD_SPREAD)):
            share = 1.0 / spread**2
            weight[begin:end] += share
            wish[begin:end] += share * goal[k]
    _wait_in_rests(weight, wish)
    # Before the first and after the last note the hand waits there.
    for begin, end, k in ((0, first[0], 0), (left[-1], len(knots), len(part.key) - 1)):
        weight[begin:end] += 1.0 / 0.05**2
        wish[begin:end] += goal[k] / 0.05**2
    return weight, wish


def _wait_in_rests(weight: Array, wish: Array) -> None:
    """In long rests the wrist goes evenly from where the last notes want it to where the next ones do. Changes both (K, 2)."""
    playing = np.flatnonzero(np.diff(weight[:, 0] > _PLAYING, prepend=False, append=False))  # where it begins and ends, in turn
    for begin, end in zip(playing[1:-1:2], playing[2::2], strict=True):
        if end - begin > _REST * PATH_RATE:
            before, after = (wish[at] / weight[at] for at in (begin - 1, end))
            share = ease(np.arange(1, end - begin + 1) / (end - begin + 1.0))[:, None]
            weight[begin:end] += 1.0 / _WAIT_SPREAD**2
            wish[begin:end] += (before + share * (after - before)) / _WAIT_SPREAD**2


def _below(side: HandSide, tips: Array, reach: Array) -> Array:
    """Where the wrist is (n, 2) whose fingertips, `reach` (n, 2) from it when the hand points straight on, are at `tips` (n, 2)."""
    turn = _turn_out(side, tips - reach) * (1.0 if side is HandSide.RIGHT else -1.0)
    cosine, sine = np.cos(turn), np.sin(turn)
    x, y = reach.T
    return tips - np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)


def _interpolate(times: Array, knots: Array, values: Array) -> Array:
    """Catmull-Rom through evenly spaced knots."""
    slope = np.gradient(values, knots)
    return hermite(times, knots, values, slope)


def _turn_out(side: HandSide, place: Array) -> Array:
    """Abduction (to the thumb's side) that follows from the forearm's direction."""
    elbow = _ELBOW * (1.0 if side is HandSide.RIGHT else -1.0, 1.0)
    forearm = place - elbow
    clockwise = np.arctan2(forearm[:, 0], np.maximum(forearm[:, 1], 0.15))
    towards_thumb = -clockwise if side is HandSide.RIGHT else clockwise
    return np.clip(_TURN_SHARE * towards_thumb, -0.35, 0.35)


def give_way(wrists: Array, *, rate: float) -> tuple[Array, Array]:
    """Where hands come close, one goes over, the other back. Changes wrists (F, H, 6).

    Returns how close they are (F,), 0 to 1: thumbs should fold in by that share of `FOLD`; and by how many metres each wrist is
    higher because it goes over the other (F, H).
    """
    between = wrists[:, HandSide.RIGHT, :2] - wrists[:, HandSide.LEFT, :2]
    close = np.clip((_ROOM - np.abs(between[:, 0])) / _ROOM_FADE, 0.0, 1.0)
    if not close.any():
        return close, np.zeros(wrists.shape[:2])
    around = round(_ROUNDED * rate)
    close = evened(_widened(ease(close), around), around)
    upper = evened(_upper(close, evened(between[:, 1], around), rate), around)
    over = (close * upper)[:, None] * np.where(np.array(HandSide) == HandSide.RIGHT, 1.0, -1.0)  # (F, H), from 1 to -1
    raised = _OVER_BY[1] * np.maximum(over, 0.0)
    wrists[..., 1] += _OVER_BY[0] * over
    wrists[..., 2] += raised
    return close, raised


def _widened(values: Array, by: int) -> Array:
    """The highest within `by` frames to either side."""
    padded = np.pad(values, by, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * by + 1).max(axis=-1)


def _upper(close: Array, inwards: Array, rate: float) -> Array:
    """1 where the right hand goes over, -1 where the left one does: the one that is further in for most of the time, and never
    changed while hands are in each other's way, for then they would pass through each other. All (F,).

    inwards: metres by which the right wrist is further in. The best of all ways through two states (Viterbi), each time that hands
    are close; before it all is as it begins.
    """
    wish = (close * np.tanh(inwards / _INWARDS) / rate).tolist()  # seconds of being right
    change = (_CHANGE * close).tolist()
    upper = np.ones(len(close))
    edges = np.flatnonzero(np.diff(close > 0.0, prepend=False, append=False)).tolist()
    for begin, end, before in zip(edges[::2], edges[1::2], [0, *edges[1::2]], strict=False):
        right = left = 0.0  # what the best way is worth that ends with that hand over
        turned = []  # whether it came from the other one
        for worth, price in zip(wish[begin:end], change[begin:end], strict=True):
            turned.append((left - price > right, right - price > left))
            right, left = max(right, left - price) + worth, max(left, right - price) - worth
        over = left > right
        for frame in range(end - 1, begin - 1, -1):
            upper[frame] = 1.0 - 2.0 * over
            over ^= turned[frame - begin][over]
        upper[before:begin] = upper[begin]
    return upper
