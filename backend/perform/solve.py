# SPDX-License-Identifier: GPL-3.0-or-later
"""The trajectory solve of a whole take: windows of time that overlap, solved side by side, faded into each other where they agree.

What windows share decays within the overlap. Batches of windows are tasks of a crew.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.errors import Cancelled

from .crew import Task, solved_in_order
from .problem import SolveSettings
from .targets import Targets

Array = NDArray[np.float64]
Index = NDArray[np.intp]

Report = Callable[[int, int], None]

WINDOW = 12.0  # seconds, at most,
_FIRST = 4.0  # of the first, for something to show early,
_OVERLAP = 0.6  # and of what a window shares with the next
_FADE = 0.2  # of which one fades into the next
_ALONE = 0.1  # and by which a single one is longer at both ends, where the take stands still: shorter, its last frames go astray
_BATCH = 3  # windows solved side by side, at most: more take memory, fewer time
PROCESSES = min(os.cpu_count() or 1, 4)  # at work, at most: results do not depend on it


@dataclass(frozen=True)
class _Batch:
    """Windows that are solved side by side: `core` frames each, one behind the other from `first` on."""

    first: int
    core: int
    windows: int

    @property
    def last(self) -> int:
        return self.first + self.windows * self.core

    def index(self, margin: int) -> Index:
        """Frames (windows, core + 2 margin)."""
        return np.arange(self.first, self.last, self.core)[:, None] + np.arange(-margin, self.core + margin)


class Planned(Protocol):
    """What is to be solved: `section(first, last)` gives those frames' prior (F, H, D) and targets."""

    frames: int
    rate: float

    def section(self, first: int, last: int) -> tuple[Array, Targets]: ...


def solve(
    skeleton: HandSkeleton,
    planned: Planned,
    *,
    window: float = WINDOW,
    processes: int = PROCESSES,
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Array:
    """Poses (F, H, D) near the prior that reach the targets. Raises Cancelled."""
    parts = solve_in_parts(skeleton, planned, window=window, processes=processes, report=report, cancelled=cancelled)
    return np.concatenate(list(parts))


def solve_in_parts(
    skeleton: HandSkeleton,
    planned: Planned,
    *,
    window: float = WINDOW,
    processes: int = PROCESSES,
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Array]:
    """The same poses part by part, (frames, H, D) each, as soon as no later window changes them."""
    frames = planned.frames
    batches = list(_batches(frames, planned.rate, window))
    count = sum(batch.windows for batch in batches)
    margin = round((_OVERLAP if count > 1 else _ALONE) * planned.rate)

    def look() -> None:
        if cancelled():
            raise Cancelled

    def task(batch: _Batch) -> Task:
        # All windows have one length: before the first and after the last frame those two are repeated.
        index = batch.index(margin)
        begin, end = max(int(index[0, 0]), 0), min(int(index[-1, -1]) + 1, frames)
        prior, targets = planned.section(begin, end)
        inside = np.clip(index, begin, end - 1) - begin
        return skeleton, prior[inside], targets.take(inside)

    pending = np.zeros((0, 2, anatomy.DOFS))
    done = 0  # frames given away; `pending` begins there
    half = margin // 2  # of what two windows share
    ready = 0
    fade, spread = round(_FADE * planned.rate), SolveSettings().prior
    report(0, count)
    helpers = min(processes, count - 1) - 1  # who solves the first window has a later one, too
    solved = solved_in_order([partial(task, batch) for batch in batches], helpers, look)
    for batch, windows in zip(batches, solved, strict=True):
        for place, poses in zip(batch.index(margin), windows, strict=True):
            first, last = max(int(place[margin]) - half, 0), min(int(place[-margin - 1]) + 1 + half, frames)
            poses = poses[first - place[0] : last - place[0]]
            pending = joined(pending, poses, done + len(pending) - first, fade, spread)
        final = frames if batch is batches[-1] else batch.last - half
        if final > done:
            yield pending[: final - done]
            pending = pending[final - done :]
            done = final
        ready += batch.windows
        report(ready, count)


def _batches(frames: int, rate: float, window: float) -> Iterator[_Batch]:
    """A short window by itself, so that there is something to show early, and then batches of whole windows.

    Two processes share them evenly, and the last batches are small, so that none is left alone with much.
    """
    longest = max(round(window * rate), 2)
    start = frames if frames <= longest else min(round(_FIRST * rate), frames)
    yield _Batch(0, start, 1)
    windows = -(-(frames - start) // longest)
    windows += windows % 2 if windows > 1 else 0
    while windows:
        size = min(_BATCH, -(-windows // 4))
        core = -(-(frames - start) // windows)
        yield _Batch(start, core, size)
        start += size * core
        windows -= size


def joined(before: Array, after: Array, common: int, fade: int, spread: Array) -> Array:
    """Poses one behind the other, (F, H, D) each: the last `common` frames of the one are the first of the other.

    `fade` of them lead over from the one to the other, those in which both are most alike: windows may have found different ways
    round something, and halfway between two ways it stands.
    """
    fade = min(fade, common)
    if not fade:
        return np.concatenate([before, after])
    one, other = before[-common:], after[:common]
    ramp = (np.arange(fade) + 0.5) / fade
    apart = np.convolve(np.sum(((one - other) / spread) ** 2, axis=(1, 2)), ramp * (1.0 - ramp), mode="valid")
    begin = int(np.argmin(apart))
    share = np.pad(ramp, (begin, common - fade - begin), constant_values=(0.0, 1.0))[:, None, None]
    return np.concatenate([before[:-common], (1.0 - share) * one + share * other, after[common:]])
