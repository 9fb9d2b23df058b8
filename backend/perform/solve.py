# SPDX-License-Identifier: GPL-3.0-or-later
"""The trajectory solve of a whole take: windows of time that overlap, solved side by side, faded into each other.

What windows share decays within the overlap. Batches of windows are solved by threads: this is the backend's own process, never
Blender's, and NumPy lets go of the interpreter while it works.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
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


Report = Callable[[int, int], None]
Batch = tuple[NDArray[np.intp], Array]  # frames (windows, frames) and their poses (windows, frames, H, D)

_LOOK = 0.05  # seconds between two looks for a cancel


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
    core = max(min(round(settings.window * planned.rate), frames), 2)
    margin = round(settings.overlap * planned.rate)
    blend = _blend(core, margin)
    count = -(-frames // core)
    # One window first, so that there is something to show early.
    batches = [(0, 1), *((first, min(first + settings.batch, count)) for first in range(1, count, settings.batch))]
    stop = threading.Event()

    def solve_batch(batch: tuple[int, int]) -> Batch:
        # All windows have one length: before the first and after the last frame those two are repeated.
        index = np.arange(*batch)[:, None] * core + np.arange(-margin, core + margin)
        begin, end = max(int(index[0, 0]), 0), min(int(index[-1, -1]) + 1, frames)
        prior, targets = planned.section(begin, end)
        inside = np.clip(index, begin, end - 1) - begin
        return index, solve_and_settle(Problem(skeleton, prior[inside], targets.take(inside), settings), stop.is_set)

    pending, weight = np.zeros((0, 2, anatomy.DOFS)), np.zeros(0)
    done = 0  # frames given away; `pending` begins there
    report(0, count)
    with ThreadPoolExecutor(settings.threads) as pool:
        running = deque(pool.submit(solve_batch, batch) for batch in batches)
        try:
            for _, last in batches:
                index, solved = _await(running.popleft(), cancelled)
                end = min(int(index[-1, -1]) + 1, frames)
                pending = np.concatenate([pending, np.zeros((end - done - len(pending), 2, anatomy.DOFS))])
                weight = np.concatenate([weight, np.zeros(end - done - len(weight))])
                for window, place in enumerate(index):
                    real = (place >= 0) & (place < frames)
                    pending[place[real] - done] += blend[real, None, None] * solved[window, real]
                    weight[place[real] - done] += blend[real]
                final = frames if last == count else last * core - margin
                if final > done:
                    part = pending[: final - done] / weight[: final - done, None, None]
                    pending, weight = pending[final - done :], weight[final - done :]
                    done = final
                    yield part
                report(last, count)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _await(future: Future[Batch], cancelled: Callable[[], bool]) -> Batch:
    """The future's result. Raises Cancelled."""
    while not future.done():
        if cancelled():
            raise Cancelled
        wait([future], timeout=_LOOK)
    return future.result()


def _blend(core: int, margin: int) -> Array:
    """Weight of a window's frames: its core counts; around its edges two windows fade into each other."""
    half = margin // 2
    ramp = (np.arange(2 * half) + 0.5) / max(2 * half, 1)
    up = np.concatenate([np.zeros(margin - half), ramp])
    return np.concatenate([up, np.ones(core + 2 * margin - 2 * len(up)), up[::-1]])
