# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the backend's messages flowing into the one job there is: from a timer in a window, in a loop without one."""

import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ..wire.errors import PianoHandsError
from ..wire.messages import Failed, Hello
from .client import Backend, Died, Event
from .job import Job, Phase, death
from .process import Target

INTERVAL = 0.1  # seconds between two looks
LOOP_INTERVAL = 0.02  # without a window, where nothing else waits
CARRY_INTERVAL = 0.005  # while files travel, a chunk a look
DRAW_INTERVAL = 1.0  # seconds after which the sidebar is drawn though nothing was heard: it counts down

#: Puts a finished job's clip into the scene; returns False to be asked again at the next look.
Place = Callable[[Job], bool]

_backend: Backend | None = None
_python: Target = None
_job: Job | None = None
_wanted: tuple[Target, Callable[[], Path]] | None = None  # whom a timer will ask, and where sessions go
_place: Place | None = None
_watch: Callable[[Job], None] | None = None
_drawn = 0.0  # when the sidebar was last asked to be drawn
_answers: dict[Target, Hello | PianoHandsError] = {}  # what each Python said of itself, or why it said nothing


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


def begin(job: Job, *, sessions: Path, python: Target, place: Place) -> None:
    """Hand the job to the backend, starting one if needed. Raises PianoHandsError('no-python', 'no-session')."""
    global _job, _place
    _job, _place = job, place
    try:
        _start(python, sessions).generate(job.request)
    except PianoHandsError as error:
        job.fail(error)
        raise
    _keep_looking()


def ask(python: Target, *, sessions: Path) -> None:
    """Have a new backend of that Python say what it can do: `answer` has it once it was heard. A running job is left alone."""
    global _backend
    if busy():
        return
    _answers.pop(python, None)
    if _backend is not None:  # it may be from before something was installed
        _backend.close()
        _backend = None
    try:
        _start(python, sessions)
    except PianoHandsError as error:
        _answers[python] = error
    else:
        _keep_looking()


def ask_soon(python: Target, *, sessions: Callable[[], Path]) -> None:
    """For who must not wait nor start anything, as a panel being drawn: ask from a timer, if nobody has yet."""
    global _wanted
    if bpy.app.background or _wanted is not None or busy() or _asking() or python in _answers:
        return
    _wanted = (python, sessions)
    bpy.app.timers.register(_ask_wanted)


def answer(python: Target) -> Hello | PianoHandsError | None:
    """What that Python said of itself, or why it could not; None as long as it has not."""
    return _answers.get(python)


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
    """Without a window: look until the job has ended and a backend that was asked has answered."""
    try:
        while busy() or _asking():
            look()
            if _watch is not None and _job is not None:
                _watch(_job)
            time.sleep(CARRY_INTERVAL if _carrying() else LOOP_INTERVAL)
    except BaseException:
        stop()  # an interrupt, or a bug in placing the clip: leave no backend at work
        raise


def look() -> bool:
    """Take in what was said since the last look and place a finished clip; returns whether anything is new."""
    if _backend is None:
        return False
    phase = _job and _job.phase
    events = _backend.poll()
    for event in events:
        _note(event)
        if _job is not None:
            _job.hear(event)
    if _job is not None and _job.phase is Phase.READY and _place is not None:
        _put_in_place(_job, _place)
    return bool(events) or (_job and _job.phase) is not phase


def stop() -> None:
    """End the backend and forget the job: nothing is left running."""
    global _backend, _job, _place, _wanted
    for timer in (_tick, _ask_wanted):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    if _backend is not None:
        _backend.close()
    _backend = _job = _place = _wanted = None
    _answers.clear()


def _start(python: Target, sessions: Path) -> Backend:
    """The backend of that Python, running. Raises PianoHandsError('no-python', 'no-session')."""
    global _backend, _python
    if _backend is not None and (not _backend.alive or python != _python):
        _backend.close()
        _backend = None
    if _backend is None:
        _backend, _python = Backend.start(sessions, python=python), python
    return _backend


def _keep_looking() -> None:
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=INTERVAL, persistent=True)


def _carrying() -> bool:
    return busy() and _backend is not None and _backend.carrying


def _asking() -> bool:
    """Whether a backend was started that has not said yet what it can do."""
    return _backend is not None and _backend.hello is None and _python not in _answers


def _note(event: Event) -> None:
    if isinstance(event, Hello):
        _answers[_python] = event
    elif isinstance(event, Failed) and event.code == "wrong-protocol":
        _answers[_python] = PianoHandsError(event.code, event.message, event.hint)
    elif isinstance(event, Died) and not event.greeted:
        _answers.setdefault(_python, death(event))


def _put_in_place(job: Job, place: Place) -> None:
    try:
        if place(job):
            job.phase = Phase.DONE
    except PianoHandsError as error:
        job.fail(error)
    except Exception as error:
        job.fail(PianoHandsError("internal", f"The scene could not be built: {type(error).__name__}: {error}."))
        raise


def _ask_wanted() -> None:
    global _wanted
    wanted, _wanted = _wanted, None
    if wanted is None or _asking() or wanted[0] in _answers:
        return
    try:
        ask(wanted[0], sessions=wanted[1]())
    except OSError as error:  # no folder for sessions
        _answers[wanted[0]] = PianoHandsError("no-session", f"{error}.", "Make room there, or make it writable.")


def _tick() -> float | None:
    global _drawn
    new, now = look(), time.monotonic()
    if _carrying():
        return CARRY_INTERVAL  # drawn when it is over: a hundred times a second is no use
    if new or now > _drawn + DRAW_INTERVAL:
        _drawn = now
        _draw()
    return INTERVAL if busy() or _asking() else None


def _draw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":  # the sidebar alone: a heavy view need not be drawn ten times a second
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PREFERENCES":
                area.tag_redraw()  # where it is said what a Python can do
