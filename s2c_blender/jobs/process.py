# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the backend: which Python, which folder, which environment, and the session folder it leaves its record in."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..wire.errors import PianoHandsError

#: The folder that holds `backend` and `s2c_blender`: the repository's or the installed extension's root.
ROOT = Path(__file__).resolve().parents[2]

EVENTS, LOG = "events.jsonl", "backend.log"
KEEP_SECONDS = 7 * 24 * 3600.0  # how long the record of a session is kept


def new_session(sessions: Path) -> Path:
    """A fresh session folder; those older than a week are removed. Raises PianoHandsError('no-session')."""
    try:
        sessions.mkdir(parents=True, exist_ok=True)
        _remove_old(sessions, time.time() - KEEP_SECONDS)
        return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=sessions))
    except OSError as error:
        raise PianoHandsError(
            "no-session", f"{sessions} cannot be used: {error.strerror or error}.", "Make room there, or make it writable."
        ) from error


def start(python: Path | None, session: Path, *, root: Path = ROOT) -> "subprocess.Popen[bytes]":
    """Start `python -m backend serve` in `session`; None is Blender's own Python. Raises PianoHandsError('no-python')."""
    program = str(python or sys.executable)
    quiet = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    try:
        with open(session / EVENTS, "wb") as events, open(session / LOG, "wb") as log:
            return subprocess.Popen(
                [program, "-s", "-u", "-m", "backend", "serve", "--session", str(session)],
                stdin=subprocess.PIPE,
                stdout=events,
                stderr=log,
                cwd=root,
                env=environment(root),
                **quiet,
            )
    except OSError as error:
        raise PianoHandsError(
            "no-python",
            f"{program} could not be started: {error.strerror or error}.",
            "Choose another Python in the preferences, or leave the field empty.",
        ) from error


def environment(root: Path = ROOT) -> dict[str, str]:
    """The backend's environment: ours, but its modules come from `root`, the wheels staged there and its Python alone."""
    values = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP")}
    wheels = sorted(str(wheel) for wheel in (root / "wheels").glob("*.whl"))
    if wheels:  # a subprocess does not see the extension's wheels otherwise
        values["PYTHONPATH"] = os.pathsep.join(wheels)
    return values


def _remove_old(sessions: Path, before: float) -> None:
    for session in sessions.iterdir():
        events = session / EVENTS
        if events.exists() and events.stat().st_mtime < before:
            shutil.rmtree(session, ignore_errors=True)
