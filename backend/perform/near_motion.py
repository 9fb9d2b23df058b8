# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a take whose hands move as a motion has them: its posture and its path over the keys, at the height of contact.

Fingertips have the planner's targets, those that play as strictly, the others hardly: they do what the motion does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import BALANCE_Y, FALLBOARD_Y

from . import block_solver, fingertips
from .easing import ease, hermite
from .motion import AFTER
from .planner import Part, Plan
from .registration import Laid
from .targets import Targets

Array = NDArray[np.float64]

_BLOCK = 2048  # frames that are not solved, at a time
_KNOTS = 15.0  # a second, of how far a wrist leaves its path
_LOWEST, _HIGHEST = -0.015, 0.060  # metres that a wrist may be below and above the planner's: a palm is no finger
_SPREAD = 0.003  # metres: how exactly a strike says how high its wrist is, and how far in
_ACCELERATION = 1.5  # m/s2 that count as much
_HELD = 0.3  # seconds from a strike, or from a look at what is held, in which it says that, at most
_BOARD_ROOM = 0.015  # metres that fingertips stay in front of the fallboard
_BESIDE = 0.1  # seconds before and after a stroke that are no rest
_LEAD_IN, _LEAD_OUT = 0.6, 0.4  # seconds over which the planner's way in becomes the motion, and the motion its way out
_IDLE_SPREAD = 0.040  # metres, in place of the planner's wish for a height
_PREPARE_SPREAD = 0.012


class NearMotion:
    """`section` as of a Plan. frames, rate: the plan's."""

    def __init__(self, plan: Plan, laid: Laid, look: Callable[[], None] = lambda: None) -> None:
        """`look` may raise, to stop."""
        self.plan, self.motion, self.fits = plan, laid.motion, laid.fits
        self.frames, self.rate = plan.frames, plan.rate
        self.times = plan.setting.take.times
        self._knots = np.arange(self.times[0], self.times[-1] + 2.0 / _KNOTS, 1.0 / _KNOTS)
        self._raise = np.zeros((self.frames, 2))  # of the wrists, above the planner's;
        self._inwards = np.zeros((self.frames, 2))  # and how much further in than the motion has them they play
        for part in plan.hands:
            look()
            strike = part.strokes.strike
            part = part.take(np.flatnonzero((strike >= self.motion.begin) & (strike <= self.motion.end)))
            if len(part.key):
                self._raise[:, part.side] = self._heights(part)
                self._inwards[:, part.side] = self._depths(part)

    def section(self, first: int, last: int) -> tuple[Array, Targets]:
        """Frames first to last: the motion over the keys (F, H, D), and what fingertips have to do."""
        prior, targets = self.plan.section(first, last)
        share = self._share(self.times[first:last])[:, None, None]
        motion = self.posed(first, last)
        motion[..., 1] += self._inwards[first:last]
        prior = prior + share * (motion - prior)
        return prior, _loosened(targets, np.array([self.fits[side].trusted for side in HandSide]))

    def posed(self, first: int, last: int) -> Array:
        """(F, H, D) the motion, laid over the keys."""
        times = self.times[first:last]
        dofs = self.motion.dofs(times)
        dofs[..., :3] = self.wrists(first, last)
        for side in HandSide:
            if not self.fits[side].trusted:
                dofs[:, side, 3:6] = self.plan.wrists[first:last, side, 3:]
        return dofs

    def wrists(self, first: int, last: int) -> Array:
        """(F, H, 3) where the motion's wrists are over the keys; the planner's where that is not known."""
        places = self.plan.wrists[first:last, :, :3].copy()
        places[..., 2] += self._raise[first:last]
        seen = self.motion.wrists(self.times[first:last])
        for side in HandSide:
            if self.fits[side].trusted:
                places[:, side, :2] = self.fits[side].apply(seen[:, side, :2])
        return places

    def unsolved(self, look: Callable[[], None]) -> Iterator[Array]:
        """The motion over the keys part by part, (frames, H, D) each."""
        for first in range(0, self.frames, _BLOCK):
            look()
            yield self.section(first, min(first + _BLOCK, self.frames))[0]

    def ease_off(self, first: int, turns: NDArray[np.float32], places: NDArray[np.float32], on_keys: float) -> None:
        """Changes solved frames from `first` on to such a share of the way from the motion itself, laid over the keys, to them."""
        last = first + len(turns)
        times = self.times[first:last]
        share = 1.0 - (1.0 - on_keys) * self._share(times)[:, None, None]  # the way in and out is the planner's
        own = self.motion.rotations(times)
        own *= np.where(np.sum(own * turns, axis=-1, keepdims=True) < 0.0, -1.0, 1.0)
        turns[:] = rotation.normalize(own + share[..., None] * (turns - own))
        wrists = self.wrists(first, last)
        places[:] = wrists + share * (places - wrists)

    def _share(self, times: Array) -> Array:
        """(F,) of the motion: it begins at time zero and may end before the take does."""
        return ease(1.0 + times / _LEAD_IN) * (1.0 - ease((times - self.motion.end + _LEAD_OUT) / _LEAD_OUT))

    def _heights(self, part: Part) -> Array:
        """(F,) by how much a wrist has to be higher than the planner's for the motion's fingers to reach their keys' bottoms."""
        key, strike = part.key, part.strokes.strike
        tip = self.motion.tips(strike + AFTER)[np.arange(len(strike)), part.side, part.finger]
        keyboard, frame = self.plan.setting.keyboard, self._frame(strike)
        y = self.wrists_y(part.side, strike) + tip[:, 1]
        bottom = keyboard.top[key] - keyboard.dip[key] * (BALANCE_Y - y) / (BALANCE_Y - keyboard.front[key])
        wish = np.clip(bottom - tip[:, 2] - self.plan.wrists[frame, part.side, 2], _LOWEST, _HIGHEST)
        # In rests the hand stays as high as its fingers need.
        above = fingertips.CLEARANCE - self.motion.tips(self._knots)[:, part.side, :, 2].min(axis=-1)
        above -= self.plan.wrists[self._frame(self._knots), part.side, 2]
        above = np.where(self._resting(part), above, -np.inf)
        return self._smooth(strike, np.minimum(part.strokes.leave, strike + _HELD), wish, above)

    def _depths(self, part: Part) -> Array:
        """(F,) how much further in than the motion has it a wrist has to be for fingers to be on their keys while they hold them,
        and all of them in front of the fallboard."""
        if not self.fits[part.side].trusted:
            return np.zeros(self.frames)
        strike, leave = part.strokes.strike, part.strokes.leave
        looks = np.maximum(np.ceil((leave - strike) / _HELD), 1).astype(np.intp)
        note = np.repeat(np.arange(len(looks)), looks)
        times = strike[note] + _HELD * np.concatenate([np.arange(count) for count in looks])
        tips = self.wrists_y(part.side, times)[:, None] + self.motion.tips(times + AFTER)[:, part.side, :, 1]
        finger, black = part.finger[note], self.plan.setting.keyboard.black[part.key[note]]
        tip = tips[np.arange(len(note)), finger]
        low = np.where(black, fingertips.BLACK_NEAR[finger], fingertips.WHITE_FRONT)
        high = np.where(black, fingertips.BLACK_FAR, fingertips.WHITE_BACK)
        high = np.minimum(high - tip, FALLBOARD_Y - _BOARD_ROOM - tips.max(axis=-1))
        return self._smooth(times, np.minimum(leave[note], times + _HELD), np.maximum(np.minimum(0.0, high), low - tip))

    def wrists_y(self, side: HandSide, times: Array) -> Array:
        """(n,) depth of a wrist over the keys."""
        fit = self.fits[side]
        if fit.trusted:
            return fit.apply(self.motion.wrists(times)[:, side, :2])[:, 1]
        return self.plan.wrists[self._frame(times), side, 1]

    def _frame(self, times: Array) -> NDArray[np.intp]:
        return np.clip(np.rint((times - self.times[0]) * self.rate), 0, self.frames - 1).astype(np.intp)

    def _resting(self, part: Part) -> NDArray[np.bool_]:
        """(K,) knots at which a hand plays nothing."""
        resting = np.ones(len(self._knots), dtype=bool)
        for touch, up in zip(part.strokes.touch, part.strokes.up, strict=True):
            resting[slice(*np.searchsorted(self._knots, (touch - _BESIDE, up + _BESIDE)))] = False
        return resting

    def _smooth(self, begin: Array, end: Array, wish: Array, above: Array | float = -np.inf) -> Array:
        """(F,) a smooth way through wishes (n,) that each hold for a while; what is far off pulls little. It stays `above` (K,)."""
        knots = self._knots
        first = np.searchsorted(knots, begin - 0.5 / _KNOTS)
        last = np.maximum(np.searchsorted(knots, end), first + 1)
        path = np.full(len(knots), np.median(wish))
        for _ in range(3):
            weight = np.full(len(knots), 1e-3)
            total = weight * np.median(wish)
            for k in range(len(wish)):
                off = np.abs(path[first[k] : last[k]] - wish[k])
                share = _SPREAD**-2 / np.maximum(1.0, off / (2.0 * _SPREAD))
                weight[first[k] : last[k]] += share
                total[first[k] : last[k]] += share * wish[k]
            low = path < above
            weight[low] += _SPREAD**-2
            total += _SPREAD**-2 * np.where(low, above, 0.0)
            smoothness = np.array([(_KNOTS**2 / _ACCELERATION) ** 2])
            path = block_solver.solve_diagonal(weight[:, None], smoothness, total[:, None], lambda: None)[:, 0]
        return hermite(self.times, knots, path, np.gradient(path, knots))


def _loosened(targets: Targets, hands: NDArray[np.bool_]) -> Targets:
    """Heights of fingers that do not play are hardly wished for in `hands` (2,); they still keep clear of the keys."""
    weight, loose = targets.height_weight, hands[:, None]
    weight = np.where(loose & (weight == fingertips.IDLE_SPREAD**-2), _IDLE_SPREAD**-2, weight)
    weight = np.where(loose & (weight == fingertips.PREPARE_SPREAD**-2), _PREPARE_SPREAD**-2, weight)
    return replace(targets, height_weight=weight)
