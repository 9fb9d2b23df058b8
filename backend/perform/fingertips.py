# SPDX-License-Identifier: GPL-3.0-or-later
"""What each fingertip does over time: lift, strike, rest on its key while it sounds, leave, hover."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.key_motion import REACH, KeyMotion
from s2c_blender.wire.keyboard import (
    BALANCE_Y,
    BLACK_FRONT,
    BLACK_WIDTH_BASE,
    Keyboard,
)

from . import slides
from .easing import ease, hermite
from .targets import Targets

if TYPE_CHECKING:
    from .planner import Part, Take

Array = NDArray[np.float64]

PRESS_IN = 0.0003  # skin gives way: the pad's lowest point lies this far below the key's top, so that it never floats
HOVER = 0.010  # height of an idle fingertip over the keys
CLEARANCE = 0.004  # least height of one
AIR_SPREAD = 0.0015  # standard deviations of heights: in a stroke's flight,
PREPARE_SPREAD = 0.0025  # on the way up to it,
IDLE_SPREAD = 0.006  # idle,
CONTACT_SPREAD = 0.00012  # on the key
SIDE_SPREAD = 0.0005  # sideways on the key
FAR_SPREAD = 0.03  # sideways at the beginning of the approach
DEPTH_SPREAD = 0.002  # in depth,
DEEP_SPREAD = 0.006  # and where the hand has to be further in
LEAD = 0.25  # seconds before the strike at which a finger begins to make for its key
LEAVING = 0.06  # seconds after it in which a finger lets go of its key's place; less where the next one comes soon
UNHURRIED = 0.12  # seconds from key to key with which a finger goes up with its key to the end; with less time, this share
LEAST_WAIT = 0.2  # of the key's way after the damper's falling back, at least
LOWEST_LIFT, HIGHEST_LIFT = 0.013, 0.028  # of a fingertip before its strike, the softest and the loudest
EARLIEST_PEAK = 0.32  # seconds before the strike
SOFT_RISE = 0.16  # seconds that the softest lift takes longer
RUN = 0.40  # seconds from strike to strike of a hand below which they make a run
HIGHER = 0.030  # metres by which a finger on duty is higher at most because its hand goes over the other
HELD_DOWN = 0.012  # metres by which a hand can still rise while one of its fingers is on duty
SETTLING = 0.12  # seconds over which a free finger, that hovers with its hand, goes on duty
FLIGHT = 7.5  # m/s2: the height that fits into a gap g between strokes is FLIGHT g^2
BLACK_ROOM = 0.0014  # to either side of a black key's middle, for a fingertip's lowest point
WHITE_FRONT, WHITE_BACK = 0.010, 0.046  # y between which a lowest point stands on a white key: clear of the black ones' fronts
DEEP_BACK = 0.062  # and up to which a long finger goes in gladly, beside one black key, where a short finger is on a black key
BLACK_NEAR = BLACK_FRONT + np.array([0.0045, 0.008, 0.008, 0.008, 0.0045])  # short fingers stay at the edge
BLACK_FAR = 0.128


@dataclass(frozen=True)
class Freedom:
    """How free a finger is (F, H, 5), from 1, nothing to do, to 0: to follow its neighbours; to go up and down with its hand;
    to stay above the other hand."""

    follows: Array
    rises: Array
    stays: Array


def fingertip_targets(
    hands: "Sequence[Part]", motion: KeyMotion, *, keyboard: Keyboard, take: "Take", lift: float = 1.0
) -> tuple[Targets, Freedom]:
    """Targets of both hands for every frame of the take, and how free their fingers are. `lift`: factor of the fingers' lifts."""
    targets = Targets.idle(take.frames, take.rate, keyboard)
    for key in motion.curves:
        targets.pressed[:, key] = motion.at_frames(key, take.times)
    targets.height[:] = HOVER
    targets.over_black[:] = 1.0
    targets.height_weight[:] = IDLE_SPREAD**-2
    targets.clearance[:] = CLEARANCE
    freedom = Freedom(*(np.ones_like(targets.height) for _ in fields(Freedom)))
    for part in hands:
        for finger in range(5):
            own = np.flatnonzero(part.finger == finger)
            if len(own):
                _Fingertip(part, own, targets, freedom).write(keyboard, take, lift)
    return targets, freedom


def rise_with_hands(targets: Targets, raised: Array, over: Array, freedom: Freedom) -> None:
    """Free fingers hover with their hand: `raised` (F, H) is how far its wrist should be above its playing height, `over` how much
    of that because it goes over the other hand. That much they stay higher on duty, too. A finger on its key holds the hand
    down, and the others with it, or they would stick out."""
    free = freedom.rises.min(axis=-1)
    raised = np.maximum(raised - HOVER, 0.0)
    raised = (free * raised + (1.0 - free) * np.minimum(raised, HELD_DOWN))[..., None]
    stay = np.minimum(np.minimum(over, HIGHER)[..., None], raised)
    targets.height[:] += freedom.stays * stay + freedom.rises * (raised - stay)


class _Fingertip:
    """One finger of one hand; writes its columns of the targets."""

    def __init__(self, part: "Part", own: NDArray[np.intp], targets: Targets, freedom: Freedom) -> None:
        self.part, self.own, self.tone, self.targets, self.freedom = part, own, part.tone[own], targets, freedom
        self.column = (part.side, part.finger[own[0]])
        strokes = part.strokes
        self.touch, self.strike, self.up = strokes.touch[own], strokes.strike[own], strokes.up[own]
        self.leave = strokes.leave[own]
        following = np.append(self.touch[1:], np.inf)
        needed = np.minimum(following, part.elsewhere[own])
        # In a hurry, a finger does not wait for the key to come up with it.
        waits = np.clip((needed - self.up) / UNHURRIED, LEAST_WAIT, 1.0)
        damped = strokes.damped[own]
        self.up = np.minimum(damped + waits * np.maximum(self.up - damped, 0.0), following)

    def write(self, keyboard: Keyboard, take: "Take", lift: float) -> None:
        times = take.times
        self._flight(times, lift)
        for k, note in enumerate(self.own):
            self._aim(k, int(self.part.key[note]), keyboard, times)
            self._press(k, int(self.part.key[note]), keyboard, times)
        for chosen in slides.find_slides(self.part.key[self.own], self.strike, keyboard):
            self._slide(self.own[chosen], keyboard, times)

    def _slide(self, notes: NDArray[np.intp], keyboard: Keyboard, times: Array) -> None:
        part = self.part.take(notes)
        black = bool(keyboard.black[part.key[0]])
        wishes = slides.slide_wishes(part.strokes, keyboard=keyboard, times=times, side_weight=SIDE_SPREAD**-2)
        for frames, columns in wishes:
            for name, value in columns.items():
                self._put(name, frames, value)
        frames, _ = wishes[1]
        self._put("y_weight", frames, DEPTH_SPREAD**-2)
        self._put("y_low", frames, BLACK_NEAR[self.column[1]] if black else WHITE_FRONT)
        self._put("y_high", frames, BLACK_FAR if black else slides.FRONT)
        self._put("over_black", frames, 0.0)
        self._put("clearance", frames, -np.inf)
        self._put("height_weight", frames, CONTACT_SPREAD**-2)

    def _put(self, name: str, frames: slice, value: Array | float) -> None:
        getattr(self.targets, name)[frames, self.column[0], self.column[1]] = value

    def _flight(self, times: Array, size: float) -> None:
        """Height above the surface between strokes: off the key, hover, lift about one tone before the strike, come down."""
        knots: list[tuple[float, float, float]] = []
        loudness = self.part.loudness[self.own]
        for k in range(len(self.own)):
            before = self.up[k - 1] if k else -np.inf
            gap = self.touch[k] - before
            peak_time = max(self.strike[k] - min(self.tone[k], EARLIEST_PEAK), before + 0.45 * gap if np.isfinite(gap) else -np.inf)
            peak_time = min(peak_time, self.touch[k] - 0.3 * min(gap, 0.1))
            lift = size * (LOWEST_LIFT + (HIGHEST_LIFT - LOWEST_LIFT) * loudness[k])
            lift = min(lift, FLIGHT * gap * gap)
            # In a run nothing is higher than the peak, since two tones before; in slow music the hand comes down first.
            duty = peak_time - self.tone[k] if self.tone[k] < RUN else self.touch[k] - LEAD + SETTLING
            prepared = min(peak_time, duty)
            if peak_time - before > 0.30:
                hover = min(HOVER, 0.6 * lift)
                rise = max(peak_time - 0.14 - SOFT_RISE * (1.0 - loudness[k]), before + 0.13)
                if rise - before > 0.16:
                    knots.append((before + 0.12 if np.isfinite(before) else rise - 0.2, hover, 0.0))
                knots.append((rise, hover, 0.0))
                prepared = max(min(duty, rise), before + 0.13)
                self._put("height_weight", slice(*np.searchsorted(times, (prepared, self.touch[k]))), PREPARE_SPREAD**-2)
            self._on_duty(self.freedom.follows, times, prepared, self.up[k])
            self._on_duty(self.freedom.rises, times, duty, self.up[k])
            self._on_duty(self.freedom.stays, times, self.touch[k], self.up[k], max(self.touch[k] - peak_time, 0.03))
            fall = self.touch[k] - peak_time
            if fall > 1e-3:
                knots.append((peak_time, lift, 0.0))
                knots.append((self.touch[k], 0.0, -1.3 * lift / fall))
            knots.append((max(self.up[k], self.touch[k] + 1e-3), 0.0, 0.15))
        knots.append((self.up[-1] + 0.15, HOVER, 0.0))
        time, height, slope = np.array(knots).T
        keep = np.concatenate([[True], np.diff(time) > 1e-6])
        frames = slice(*np.searchsorted(times, (time[0], time[-1])))
        self._put("height", frames, np.maximum(hermite(times[frames], time[keep], height[keep], slope[keep]), 0.0))

    def _on_duty(self, freedom: Array, times: Array, begin: float, end: float, settling: float = SETTLING) -> None:
        """Not free from `begin` to `end`, going there for `settling` seconds."""
        frames = slice(*np.searchsorted(times, (begin - settling, end + SETTLING)))
        t, column = times[frames], (frames, *self.column)
        freedom[column] = np.minimum(freedom[column], ease(np.maximum((begin - t) / settling, (t - end) / SETTLING)))

    def _aim(self, k: int, key: int, keyboard: Keyboard, times: Array) -> None:
        """Sideways and depth wishes: growing during the approach, full on the key, fading after."""
        before = self.up[k - 1] if k else -np.inf
        lead = min(LEAD, max(self.touch[k] - before - _leaving(self.touch[k] - before), 0.02))
        begin, arrive = self.touch[k] - lead, self.touch[k] - min(0.02, 0.3 * lead)
        freed = self._hand_freed(k, keyboard)
        if freed > begin:
            begin = min(freed, self.touch[k] - 0.02)
            arrive = self.touch[k] - 0.2 * (self.touch[k] - begin)
        after = self.touch[k + 1] if k + 1 < len(self.own) else np.inf
        gone = self.up[k] + _leaving(after - self.up[k])
        frames = slice(*np.searchsorted(times, (begin, gone)))
        t = times[frames]
        still, left = (arrive - t) / max(arrive - begin, 1e-3), (t - self.up[k]) / LEAVING
        away = np.clip(np.maximum(still, left), 0.0, 1.0)
        # A finger leaves upwards, then sideways.
        spread = SIDE_SPREAD * (FAR_SPREAD / SIDE_SPREAD) ** np.where(left > 0.0, away, np.sqrt(away))
        black = bool(keyboard.black[key])
        edges = _black_edges(keyboard, key) if black else _white_edges(keyboard, key)
        for name, edge in zip(("x_low", "x_high", "tail_low", "tail_high"), edges, strict=True):
            self._put(name, frames, edge)
        self._put("x_weight", frames, spread**-2)
        self._put("on_top", frames, float(black))
        self._put("y_low", frames, BLACK_NEAR[self.column[1]] if black else WHITE_FRONT)
        deep = not black and self.column[1] in (1, 2, 3) and self._reaches_in(k, keyboard)
        roomy = deep and not np.isfinite(edges[2:]).all()  # black keys on one side at most
        self._put("y_high", frames, BLACK_FAR if black else DEEP_BACK if roomy else WHITE_BACK)
        depth_spread = DEEP_SPREAD if deep else DEPTH_SPREAD
        self._put("y_weight", frames, (spread * depth_spread / SIDE_SPREAD) ** -2)
        # On its way down to its own key the finger may come near; its height counts from that key's top.
        near = t > arrive - 0.05
        top = keyboard.top[key]
        column = (frames, *self.column)
        self.targets.height[column] = np.where(near, self.targets.height[column] + top, self.targets.height[column])
        if black:
            self.targets.over_black[column] = np.where(near, 0.0, 1.0)
        self.targets.clearance[column] = np.where(near, 0.0, CLEARANCE)
        self.targets.height_weight[column] = np.where(away < 1.0, AIR_SPREAD**-2, self.targets.height_weight[column])

    def _hand_freed(self, k: int, keyboard: Keyboard) -> float:
        """When the hand leaves the last key that it cannot hold until this finger touches its own."""
        strokes, key = self.part.strokes, self.part.key
        away = np.abs(keyboard.x[key] - keyboard.x[key[self.own[k]]]) > REACH
        away |= strokes.gives_way & (strokes.leave < self.touch[k]) & (key != key[self.own[k]])
        away &= (strokes.touch < self.touch[k]) & (strokes.up > self.touch[k] - LEAD)
        return float(strokes.leave[away].max(initial=-np.inf))

    def _reaches_in(self, k: int, keyboard: Keyboard) -> bool:
        """Whether a short finger of the hand is on a black key already, so that a long one has to play between black keys."""
        strokes, part = self.part.strokes, self.part
        meanwhile = (strokes.touch < self.touch[k] + 0.1) & (strokes.leave > self.touch[k])
        return bool((meanwhile & keyboard.black[part.key] & np.isin(part.finger, (0, 4))).any())

    def _press(self, k: int, key: int, keyboard: Keyboard, times: Array) -> None:
        """On the key: follow its top."""
        after = int(np.searchsorted(times, self.strike[k]))  # the frame at or after the strike
        first, last = (int(frame) for frame in np.searchsorted(times, (self.touch[k], self.up[k])))
        first, last = max(min(first, after - 1), 0), min(max(last, after + 1), len(times))
        if not 0 < after < last:
            return
        frames = slice(first, last)
        share = self.targets.pressed[frames, key]
        front = keyboard.front[key]
        per_metre = keyboard.dip[key] * share / (BALANCE_Y - front)
        self._put("height", frames, keyboard.top[key] - PRESS_IN * np.clip((share - 0.8) / 0.2, 0.0, 1.0) - per_metre * BALANCE_Y)
        self._put("tilt", frames, per_metre)
        self._put("over_black", frames, 0.0)
        self._put("clearance", frames, -np.inf)
        self._put("height_weight", frames, CONTACT_SPREAD**-2)


def _leaving(gap: float) -> float:
    """Seconds that a finger still keeps to the key it has left, if it has `gap` seconds to the next one."""
    return min(LEAVING, 0.4 * max(gap, 0.0))


def _black_edges(keyboard: Keyboard, key: int) -> tuple[float, float, float, float]:
    """Between which x the lowest point stays on a black key."""
    low, high = keyboard.x[key] - BLACK_ROOM, keyboard.x[key] + BLACK_ROOM
    return low, high, -np.inf, np.inf


def _white_edges(keyboard: Keyboard, key: int) -> tuple[float, float, float, float]:
    """Between which x a finger's flanks stay on a white key: on its head, and between its black neighbours."""
    half = 0.5 * BLACK_WIDTH_BASE * keyboard.scale
    low, high = keyboard.x[key] - keyboard.half_width[key], keyboard.x[key] + keyboard.half_width[key]
    tail_low, tail_high = -np.inf, np.inf  # beside a white key there is only its top to keep clear of
    if key > 0 and keyboard.black[key - 1]:
        tail_low = max(low, keyboard.x[key - 1] + half)
    if key + 1 < len(keyboard.x) and keyboard.black[key + 1]:
        tail_high = min(high, keyboard.x[key + 1] - half)
    return low, high, tail_low, tail_high
