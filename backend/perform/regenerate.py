# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a take made anew: another seed, style or motion between two moments; all other frames stay bit for bit.

At its edges the new motion begins as the old one, so that hands go over into each other on their keys, and then is solved.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide

from . import Settings, kinematics, solve
from .manner import manner
from .motion import Motion
from .near_motion import NearMotion
from .reassign import blend_in, fade, plan_around
from .registration import HandFit, Laid, register
from .targets import Targets

Array = NDArray[np.float64]

SHORTEST = 1.0  # seconds
_FADE = 1.0  # seconds over which new bars lead over to old ones
_SEAM = 0.25  # seconds over which what rounding leaves of a difference fades


def regenerate(
    clip: Clip,
    between: tuple[float, float],
    settings: Settings,
    *,
    prior: Clip | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Clip:
    """The take with its frames between two times (seconds) made anew, with the fingering that it has.

    Of the settings seed, style and on_keys count. prior: how the hands should move there (S2C's raw take of about that time); None:
    as the planner has them. Raises PianoHandsError('bad-range', 'no-notes'), Cancelled.
    """
    first, last = _frames(clip, between)
    result = replace(clip, rotation=clip.rotation.copy(), translation=clip.translation.copy())
    if clip.score.notes:
        made = _solve(clip, (first, last), settings, prior, report=report, cancelled=cancelled)
    elif prior is not None:
        made = _as_generated(clip, (first, last), prior)
    else:
        raise PianoHandsError("no-notes", "This take knows no notes, and the planner moves hands by notes.", "Choose S2C.")
    wide = not clip.score.notes or settings.on_keys < 1.0
    length = _FADE if wide else _SEAM
    share = fade(first, last, len(clip.rotation), _within(length, first, last, clip.rate))
    blend_in(result, first, *made, np.stack([share, share], axis=-1))
    how = {"begin": between[0], "end": between[1], "seed": settings.seed, "prior": "planner" if prior is None else "s2c"}
    return replace(result, made=clip.made | {"again": [*clip.made.get("again", []), how]})


def _frames(clip: Clip, between: tuple[float, float]) -> tuple[int, int]:
    begin, end = between
    first = max(int(np.ceil((begin - clip.start) * clip.rate)), 0)
    last = min(int((end - clip.start) * clip.rate) + 1, len(clip.rotation))
    if last - first < SHORTEST * clip.rate:
        length = clip.times[-1]
        raise PianoHandsError(
            "bad-range",
            f"From {begin:.2f} to {end:.2f} s is not {SHORTEST:g} s of this take, which lasts {length:.1f} s.",
            "Choose more of it.",
        )
    return first, last


def _within(seconds: float, first: int, last: int, rate: float) -> int:
    """Frames of a fade: two of them leave some of the part itself."""
    return max(min(round(seconds * rate), (last - first) // 3), 1)


class _Edged:
    """A plan's frames from `first` on, whose prior comes out of what was there (F, H, D) and goes back into it."""

    def __init__(self, planned: solve.Planned, first: int, old: Array, share: Array) -> None:
        self.planned, self.first, self.old, self.share = planned, first, old, share
        self.frames, self.rate = len(old), planned.rate

    def section(self, first: int, last: int) -> tuple[Array, Targets]:
        prior, targets = self.planned.section(self.first + first, self.first + last)
        old = self.old[first:last]
        return old + self.share[first:last, None, None] * (prior - old), targets


def _solve(
    clip: Clip,
    frames: tuple[int, int],
    settings: Settings,
    prior: Clip | None,
    *,
    report: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rotations and places of the frames."""
    first, last = frames
    skeleton, rate, count = skeleton_of(clip), clip.rate, len(clip.rotation)
    plan, known, (score, fingering) = plan_around(clip, skeleton, first, last, manner(settings.style, settings.seed))
    near = None
    if prior is not None:
        motion = Motion(prior, skeleton)
        fits = _kept_fits(clip) or register(motion, score, fingering.hand, plan.setting.keyboard)
        near = NearMotion(plan, Laid(motion, fits, fingering.hand, np.zeros((len(score.notes), 5))))
    before, there = (values[first:last].astype(float) for values in (clip.rotation, clip.translation))
    old: Array = np.concatenate([there, kinematics.from_rotations(skeleton, before)], axis=-1)
    share = fade(first, last, count, _within(_FADE, first, last, rate))
    edged = _Edged(near or plan, first - known, old, share)
    dofs = solve.solve(skeleton, edged, report=report, cancelled=cancelled)
    turns, places = kinematics.to_rotations(skeleton, dofs).astype(np.float32), dofs[..., :3].astype(np.float32)
    if near is not None and settings.on_keys < 1.0:
        near.ease_off(first - known, turns, places, settings.on_keys)
    return turns, places


def _kept_fits(clip: Clip) -> tuple[HandFit, HandFit] | None:
    """How the take's motion was laid on the keys: another seed moves other fingers over the same places."""
    kept = clip.made.get("registration")
    if not isinstance(kept, dict):
        return None
    right, left = (HandFit(**kept[side.word]) for side in HandSide)
    return right, left


def _as_generated(clip: Clip, frames: tuple[int, int], prior: Clip) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    motion = Motion(prior, skeleton_of(clip))
    times = clip.times[slice(*frames)]
    return motion.rotations(times).astype(np.float32), motion.wrists(times).astype(np.float32)
