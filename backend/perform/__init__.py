# SPDX-License-Identifier: GPL-3.0-or-later
"""From notes to motion: fingering, a motion prior, the solve. NumPy and the standard library only."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.motion.hand_rig import own_skeleton, skeleton_of
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.clip import Clip, hand_rate
from s2c_blender.wire.errors import Cancelled
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import STANDARD_OCTAVE, Keyboard
from s2c_blender.wire.notes import Fingering, Score

from . import grips, kinematics, solve
from .fingering import assign_fingers
from .hands_split import assign_hands
from .manner import manner
from .motion import Motion
from .near_motion import NearMotion
from .planner import Plan, Setting, Take
from .progress import part_of
from .registration import Laid, as_it_lies, lay_out

PRE_ROLL = 1.0  # seconds before time zero in which the hands come in
POST_ROLL = 1.5  # and after the last key is up, in which they go
SAME_SIZE = 0.08  # share by which hands may differ in span and still play with the same fingering

#: stage, done, total
Report = Callable[[str, int, int], None]
#: first frame, rotations (F, 2, 16, 4), translations (F, 2, 3), as in a Clip
Preview = Callable[[int, NDArray[np.float32], NDArray[np.float32]], None]


@dataclass(frozen=True)
class Settings:
    """What a person may choose. fps is the scene's; hand_size the span in metres; style 0 (calm) to 1 (lively)."""

    fps: float = 60.0
    seed: int = 0
    hand_size: float = 0.22
    style: float = 0.5
    octave: float = STANDARD_OCTAVE
    on_keys: float = 1.0  # of a motion from elsewhere: from exactly as it is (0) to on the keys (1)


def perform(
    score: Score,
    settings: Settings | None = None,
    *,
    prior: Clip | None = None,
    report: Report = lambda stage, done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
    preview: Preview = lambda first, rotation, translation: None,
    processes: int = solve.PROCESSES,
) -> Clip:
    """Two hands that play the score. `report(stage, done, total)` tells progress. Raises Cancelled.

    prior: how the hands should move (S2C's raw take), in no known relation to the keys; None: as the planner has them.
    `preview(first, rotation, translation)` is given the frames from `first` on as soon as they are final: first the hands' first
    seconds, then some tens of seconds at a time. They are the clip's own arrays: copy what has to outlive a change.
    processes: how many may be at work, this one among them; the clip is the same by any.
    """
    settings = settings or Settings()
    skeleton = own_skeleton(settings.hand_size)
    motion = None if prior is None else Motion(prior, skeleton)
    fingering, laid = _fingers(score, settings, skeleton, motion=motion, report=report, cancelled=cancelled, processes=processes)
    return _move(score, fingering, skeleton, settings, laid=laid, listener=(report, cancelled, preview), processes=processes)


def perform_again(
    clip: Clip,
    *,
    report: Report = lambda stage, done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Clip:
    """The clip's notes on the hands that it carries. Raises Cancelled.

    What S2C moved moves near that again. Its fingering stays where these hands have the fingers and about the size for it; else
    only what notes themselves state.
    """
    skeleton = skeleton_of(clip)
    span = skeleton.span()
    settings = Settings(
        fps=clip.fps,
        seed=int(clip.made.get("seed", Settings.seed)),
        hand_size=span,
        style=float(clip.made.get("style", Settings.style)),
        octave=clip.octave,
    )
    fingering, laid = clip.fingering, as_it_lies(clip, skeleton)
    if abs(span / clip.hand_size - 1.0) > SAME_SIZE or any(skeleton.missing(side) for side in HandSide):
        fingering, _ = _fingers(clip.score, settings, skeleton, motion=None, report=report, cancelled=cancelled)
    made = _move(clip.score, fingering, skeleton, settings, laid=laid, listener=(report, cancelled, _unseen))
    return replace(made, hands=clip.hands, made=clip.made | made.made)


def _unseen(first: int, rotation: NDArray[np.float32], translation: NDArray[np.float32]) -> None:
    """No preview."""


def _fingers(
    score: Score,
    settings: Settings,
    skeleton: HandSkeleton,
    *,
    motion: Motion | None,
    report: Report,
    cancelled: Callable[[], bool],
    processes: int = solve.PROCESSES,
) -> tuple[Fingering, Laid | None]:
    """Fingers for the notes; where a motion is given, read from it, and how it lies on the keys."""

    def tick(share: float) -> None:
        nonlocal percent
        if cancelled():
            raise Cancelled
        if int(100 * share) > percent:
            percent = int(100 * share)
            report("fingering", percent, 100)

    percent = -1
    hand = assign_hands(score, tick=part_of(tick, 0.0, 0.7))
    span = settings.hand_size * STANDARD_OCTAVE / settings.octave
    without = (skeleton.missing(HandSide.RIGHT), skeleton.missing(HandSide.LEFT))
    laid = None if motion is None else lay_out(motion, score, hand, Keyboard(settings.octave))
    hand, seen = (hand, None) if laid is None else (laid.hand, laid.seen)
    trial = partial(grips.trial, skeleton, Keyboard(settings.octave), processes=processes, cancelled=cancelled)
    return assign_fingers(score, hand, span=span, seen=seen, without=without, trial=trial, tick=part_of(tick, 0.7, 1.0)), laid


def _move(
    score: Score,
    fingering: Fingering,
    skeleton: HandSkeleton,
    settings: Settings,
    *,
    laid: Laid | None,
    listener: tuple[Report, Callable[[], bool], Preview],
    processes: int = solve.PROCESSES,
) -> Clip:
    report, cancelled, preview = listener

    def look() -> None:
        if cancelled():
            raise Cancelled

    look()
    report("planning", 0, 1)
    motion = key_motion(score, fingering)
    rate = hand_rate(settings.fps)
    frames = int(np.ceil((PRE_ROLL + score.duration + POST_ROLL) * rate)) + 1
    take = Take(-PRE_ROLL, rate, frames)
    setting = Setting(skeleton, Keyboard(settings.octave), take, manner(settings.style, settings.seed))
    look()
    plan = Plan(score, fingering, motion, setting, look)
    near = None if laid is None else NearMotion(plan, laid, look)
    turns = np.empty((frames, 2, 16, 4), dtype=np.float32)
    places = np.empty((frames, 2, 3), dtype=np.float32)
    first = 0
    if near is not None and settings.on_keys == 0.0:
        parts = near.unsolved(look)
    else:
        told = partial(report, "solving")
        parts = solve.solve_in_parts(skeleton, near or plan, processes=processes, report=told, cancelled=cancelled)
    for dofs in parts:
        last = first + len(dofs)
        turns[first:last], places[first:last] = kinematics.to_rotations(skeleton, dofs), dofs[..., :3]
        if near is not None and settings.on_keys < 1.0:
            near.ease_off(first, turns[first:last], places[first:last], settings.on_keys)
        known = max(first - 1, 0)  # signs go on from the frame before
        turns[known:last] = rotation.continuous(turns[known:last])
        preview(first, turns[first:last], places[first:last])
        first = last
    return Clip(
        rotation=turns,
        translation=places,
        fps=settings.fps,
        start=take.start,
        score=score,
        fingering=fingering,
        skeleton=skeleton.name,
        hand_size=settings.hand_size,
        octave=settings.octave,
        made={"prior": "planner", "seed": settings.seed, "style": settings.style} if laid is None else laid.made(settings.on_keys),
    )
