# SPDX-License-Identifier: GPL-3.0-or-later
"""The trajectory solve of a whole take: windows of time that overlap, solved side by side, faded into each other where they agree.

What windows share decays within the overlap. Batches of windows are solved by threads: this is the backend's own process, never
Blender's, and NumPy lets go of the interpreter while it works.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.errors import Cancelled

from .problem import Problem, SolveSettings
from .settle import solve_and_settle
from .targets import Targets

Array = NDArray[np.float64]
Index = NDArray[np.intp]

Report = Callable[[int, int], None]

_FADE = 0.2  # seconds over which one window fades into the next
_ALONE = 0.1  # and by which a single one is longer at both ends, where the take stands still: shorter, its last frames go astray
_LOOK = 0.05  # seconds between two looks for a cancel


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
    settings: SolveSettings | None = None,
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Array:
    """Poses (F, H, D) near the prior that reach the targets. Raises Cancelled."""
    return np.concatenate(list(solve_in_parts(skeleton, planned, settings=settings, report=report, cancelled=cancelled)))


def solve_in_parts(
    skeleton: HandSkeleton,
    planned: Planned,
    *,
    settings: SolveSettings | None = None,
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Array]:
    """The same poses part by part, (frames, H, D) each, as soon as no later window changes them."""
    settings = settings or SolveSettings()
    frames = planned.frames
    batches = list(_batches(frames, planned.rate, settings))
    count = sum(batch.windows for batch in batches)
    margin = round((settings.overlap if count > 1 else _ALONE) * planned.rate)
    stop = threading.Event()

    def look() -> None:
        if stop.is_set():
            raise Cancelled

    def solve_batch(batch: _Batch) -> tuple[Index, Array]:
        # All windows have one length: before the first and after the last frame those two are repeated.
        index = batch.index(margin)
        begin, end = max(int(index[0, 0]), 0), min(int(index[-1, -1]) + 1, frames)
        prior, targets = planned.section(begin, end)
        inside = np.clip(index, begin, end - 1) - begin
        return index, solve_and_settle(Problem(skeleton, prior[inside], targets.take(inside), settings), look)

    pending = np.zeros((0, 2, anatomy.DOFS))
    done = 0  # frames given away; `pending` begins there
    half = margin // 2  # of what two windows share
    ready = 0
    report(0, count)
    with ThreadPoolExecutor(settings.threads) as pool:
        running = deque(pool.submit(solve_batch, batch) for batch in batches)
        try:
            for batch in batches:
                index, solved = _await(running.popleft(), cancelled)
                for place, poses in zip(index, solved, strict=True):
                    first, last = max(int(place[margin]) - half, 0), min(int(place[-margin - 1]) + 1 + half, frames)
                    poses = poses[first - place[0] : last - place[0]]
                    pending = joined(pending, poses, done + len(pending) - first, round(_FADE * planned.rate), settings.prior)
                final = frames if batch is batches[-1] else batch.last - half
                if final > done:
                    yield pending[: final - done]
                    pending = pending[final - done :]
                    done = final
                ready += batch.windows
                report(ready, count)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _batches(frames: int, rate: float, settings: SolveSettings) -> Iterator[_Batch]:
    """A short window by itself, so that there is something to show early, and then batches of whole windows."""
    longest = max(round(settings.window * rate), 2)
    start = frames if frames <= longest else round(settings.first_window * rate)
    yield _Batch(0, start, 1)
    windows = -(-(frames - start) // longest)
    for size in _sizes(windows, settings.batch):
        core = -(-(frames - start) // windows)
        yield _Batch(start, core, size)
        start += size * core
        windows -= size


def _sizes(windows: int, most: int) -> list[int]:
    """How many windows each batch takes: in pairs, for two threads; at first half as many at a time, then up to `most`. Batches
    share evenly, and larger ones come first."""
    early = min(most, windows)
    late = windows - early
    shares = ((early, 2), (late, 2 * -(-late // (2 * most))))
    sizes = [(count + batches - 1 - batch) // batches for count, batches in shares for batch in range(batches)]
    return [size for size in sizes if size]


def _await(future: Future[tuple[Index, Array]], cancelled: Callable[[], bool]) -> tuple[Index, Array]:
    """The future's result. Raises Cancelled."""
    while not future.done():
        if cancelled():
            raise Cancelled
        wait([future], timeout=_LOOK)
    return future.result()


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
