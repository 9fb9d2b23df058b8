# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks solved side by side: by this process, and by helpers, which are processes of their own.

Threads would wait for each other: operations are short here, and between them only one has the interpreter (two threads did 1.45
times the work of one, two processes twice). A helper (`helper.py`) is told on its stdin which task lies in a folder, and leaves the
poses there. It ends with its stdin, so it outlives nobody. One that cannot be started, or is lost, costs time only: what it had is
solved here.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.keyboard import Keyboard

from .problem import Problem, SolveSettings
from .settle import solve_and_settle
from .targets import Targets

Array = NDArray[np.float64]
#: Hands; the prior (windows, frames, H, D) and the targets of those windows.
Task: TypeAlias = tuple[HandSkeleton, Array, Targets]

_ROOT = Path(__file__).resolve().parents[2]
_LOOK = 0.02  # seconds between two looks at what helpers have done


def solved(task: Task, look: Callable[[], None]) -> Array:
    """Poses (windows, frames, H, D)."""
    skeleton, prior, targets = task
    return solve_and_settle(Problem(skeleton, prior, targets, SolveSettings()), look)


def solved_in_order(tasks: Sequence[Callable[[], Task]], helpers: int, look: Callable[[], None]) -> Iterator[Array]:
    """The poses of each task, in their order. A task is asked for when somebody is free; `look` is called often, and may raise."""
    crew = _Crew(tasks, helpers, look)
    try:
        for number in range(len(tasks)):
            yield crew.poses(number)
    finally:
        crew.dismiss()


class _Crew:
    def __init__(self, tasks: Sequence[Callable[[], Task]], helpers: int, look: Callable[[], None]) -> None:
        self.tasks, self.look = tasks, look
        self.helpers: list[_Helper] = []
        with suppress(OSError):
            for _ in range(helpers):
                self.helpers.append(_Helper())
        self.waiting = deque(range(len(tasks)))
        self.done: dict[int, Array] = {}
        self.looked = -np.inf

    def poses(self, number: int) -> Array:
        """Those of a task; meanwhile this process works, too."""
        while number not in self.done:
            if self.waiting:
                mine = self.waiting.popleft()
                self.done[mine] = solved(self.tasks[mine](), self.attend)
            else:
                time.sleep(_LOOK)
            self.attend()
        return self.done.pop(number)

    def attend(self) -> None:
        """Take what helpers have done, and give them something to do."""
        self.look()
        if time.monotonic() < self.looked + _LOOK:
            return
        self.looked = time.monotonic()
        for helper in tuple(self.helpers):
            try:
                self._attend_to(helper)
            except (OSError, ValueError):  # it has ended, there is no room for its files, or they are not whole
                self.helpers.remove(helper)
                helper.end()
                if helper.number is not None:
                    self.waiting.appendleft(helper.number)

    def _attend_to(self, helper: "_Helper") -> None:
        if helper.number is not None:
            poses = helper.poses()
            if poses is None:
                return
            self.done[helper.number], helper.number = poses, None
        if self.waiting:
            task = self.tasks[self.waiting[0]]()
            helper.give(self.waiting.popleft(), task)

    def dismiss(self) -> None:
        for helper in self.helpers:
            helper.end()


class _Helper:
    """A process that solves, and `number`, the task that it is at."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.number: int | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="piano-hands-", ignore_cleanup_errors=True)
        quiet: dict[str, Any] = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
        alike = ["-s"] if sys.flags.no_user_site else []  # its packages are those of this process
        self._process = subprocess.Popen(
            [sys.executable, *alike, "-m", "backend.perform.helper", self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=_ROOT,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            **quiet,
        )

    def give(self, number: int, task: Task) -> None:
        """Raises OSError."""
        self.number = number
        write_task(self._path(".npz"), task)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n".encode())
        self._process.stdin.flush()

    def poses(self) -> Array | None:
        """Those of its task; None: not yet. Raises OSError, ValueError."""
        ended = self._process.poll() is not None
        path = self._path(".npy")
        if path.exists():
            poses: Array = np.load(path, allow_pickle=False)
            path.unlink()
            return poses
        if ended:
            raise ChildProcessError("a helper has ended")
        return None

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def _path(self, ending: str) -> Path:
        return Path(self._folder.name, f"{self.number}{ending}")


def write_task(path: Path, task: Task) -> None:
    """Raises OSError."""
    skeleton, prior, targets = task
    about = {"skeleton": skeleton.name, "prior": prior, "rate": targets.rate, "octave": targets.keyboard.octave}
    with open(path, "wb") as file:
        np.savez(file, **about, **skeleton.to_arrays(), **targets.to_arrays())


def read_task(path: Path) -> Task:
    """Raises OSError, ValueError, KeyError."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    targets = Targets.from_arrays(float(arrays["rate"]), Keyboard(float(arrays["octave"])), arrays)
    return HandSkeleton.from_arrays(str(arrays["skeleton"]), arrays), arrays["prior"], targets
