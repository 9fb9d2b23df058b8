# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the backend: which Python, which folder, which environment, and the session folder it leaves its record in."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..wire.errors import PianoHandsError

#: The folder that holds `backend` and `s2c_blender`: the repository's or the installed extension's root.
ROOT = Path(__file__).resolve().parents[2]

EVENTS, LOG = "events.jsonl", "backend.log"
KEEP_SECONDS = 7 * 24 * 3600.0  # how long the record of a session is kept


@dataclass(frozen=True)
class Remote:
    """The command line of a backend on another machine, as `ssh box piano-hands serve`: files reach it inside the messages."""

    words: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> "Remote":
        """Words in quotes stay together."""
        try:
            words = shlex.split(text, posix=os.name != "nt")
        except ValueError:  # a quote that is not closed, as while somebody types
            words = text.split()
        return Remote(tuple(word.strip('"') if os.name == "nt" else word for word in words))


#: A Python of the person's, a backend elsewhere, or Blender's own Python.
Target: TypeAlias = Path | Remote | None


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


def start(target: Target, session: Path, *, root: Path = ROOT) -> "subprocess.Popen[bytes]":
    """Start `python -m backend serve` in `session`, or the command. Raises PianoHandsError('no-python')."""
    if isinstance(target, Remote):
        words, folder = list(target.words), session
    else:
        words = [str(target or sys.executable), "-s", "-u", "-m", "backend", "serve", "--session", str(session)]
        folder = root
    quiet = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    try:
        with open(session / EVENTS, "wb") as events, open(session / LOG, "wb") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=events,
                stderr=log,
                cwd=folder,
                env=environment(folder),
                **quiet,
            )
    except (OSError, IndexError) as error:  # IndexError: an empty command
        program, reason = words[0] if words else "An empty command", getattr(error, "strerror", None) or error
        raise PianoHandsError(
            "no-python",
            f"{program} could not be started: {reason}.",
            "Choose another Python or command in the preferences, or leave the fields empty.",
        ) from error


def environment(root: Path = ROOT) -> dict[str, str]:
    """The backend's environment: ours, but its modules come from `root`, the wheels staged there and its Python alone."""
    values = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP")}
    wheels = sorted(str(wheel) for wheel in (root / "wheels").glob("*.whl"))
    if wheels:  # a subprocess does not see the extension's wheels otherwise
        values["PYTHONPATH"] = os.pathsep.join(wheels)
    return values


def thin_out(session: Path) -> None:
    """Leave the files that came inside the messages out of an ended session's record: they lie where they were wanted."""
    events, thin = session / EVENTS, session / f"{EVENTS}.thin"
    try:
        with open(events, "rb") as full, open(thin, "wb") as rest:
            rest.writelines(line for line in full if not line.startswith(b'{"type": "chunk"'))
        os.replace(thin, events)
    except OSError:
        thin.unlink(missing_ok=True)  # a record that is too long does no harm


def _remove_old(sessions: Path, before: float) -> None:
    for session in sessions.iterdir():
        events = session / EVENTS
        if events.exists() and events.stat().st_mtime < before:
            shutil.rmtree(session, ignore_errors=True)
