# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the backend's messages flowing into the one job there is: from a timer in a window, in a loop without one."""

import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ..wire.errors import PianoHandsError
from .client import Backend
from .job import Job, Phase

INTERVAL = 0.1  # seconds between two looks
LOOP_INTERVAL = 0.02  # without a window, where nothing else waits

#: Puts a finished job's clip into the scene; returns False to be asked again at the next look.
Place = Callable[[Job], bool]

_backend: Backend | None = None
_python: Path | None = None
_job: Job | None = None
_place: Place | None = None
_watch: Callable[[Job], None] | None = None


def current() -> Job | None:
    """The job that runs, or the last one that did."""
    return _job


def busy() -> bool:
    return _job is not None and _job.running


def session() -> Path | None:
    """The session folder of the last backend."""
    return _backend.session if _backend else None


def log_tail() -> str:
    return _backend.log_tail() if _backend else ""


def begin(job: Job, *, sessions: Path, python: Path | None, place: Place) -> None:
    """Hand the job to the backend, starting one if needed. Raises PianoHandsError('no-python', 'no-session')."""
    global _backend, _python, _job, _place
    _job, _place = job, place
    if _backend is not None and (not _backend.alive or python != _python):
        _backend.close()
        _backend = None
    if _backend is None:
        try:
            _backend = Backend.start(sessions, python=python)
        except PianoHandsError as error:
            job.fail(error)
            raise
        _python = python
    _backend.generate(job.request)
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=INTERVAL, persistent=True)


def cancel() -> None:
    """Ask the running job to end."""
    if _backend is not None and _job is not None and _job.phase is Phase.WORKING:
        _job.phase = Phase.CANCELLING
        _backend.cancel(_job.request.job)
    elif _job is not None and _job.phase is Phase.READY:
        _job.phase = Phase.CANCELLED  # the clip stays where it is, the scene as it was


def watch_with(watch: Callable[[Job], None] | None) -> None:
    """Without a window: have `watch(job)` called after every look, as a command line's progress bar needs it."""
    global _watch
    _watch = watch


def run_to_end() -> None:
    """Without a window: look until the job ends."""
    try:
        while busy():
            look()
            if _watch is not None and _job is not None:
                _watch(_job)
            time.sleep(LOOP_INTERVAL)
    except BaseException:
        stop()  # an interrupt, or a bug in placing the clip: leave no backend at work
        raise


def look() -> None:
    """Take in what was said since the last look and place a finished clip."""
    if _backend is None or _job is None:
        return
    for event in _backend.poll():
        _job.hear(event)
    if _job.phase is Phase.READY and _place is not None:
        _put_in_place(_job, _place)


def stop() -> None:
    """End the backend and forget the job: nothing is left running."""
    global _backend, _job, _place
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _backend is not None:
        _backend.close()
    _backend = _job = _place = None


def _put_in_place(job: Job, place: Place) -> None:
    try:
        if place(job):
            job.phase = Phase.DONE
    except PianoHandsError as error:
        job.fail(error)
    except Exception as error:
        job.fail(PianoHandsError("internal", f"The scene could not be built: {type(error).__name__}: {error}."))
        raise


def _tick() -> float | None:
    look()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":  # the sidebar alone: a heavy view need not be drawn ten times a second
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
    return INTERVAL if busy() else None
