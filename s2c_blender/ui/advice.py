# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel advises, each in one sentence: how to get S2C, which file goes with which prior. No bpy."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..jobs.process import Target
from ..wire.errors import PianoHandsError
from ..wire.kind import MIDI_SUFFIXES, SOUND_SUFFIXES
from ..wire.messages import Hello, Prior


def lacking(answer: Hello | PianoHandsError | None, python: Target) -> str | None:
    """What is missing for S2C and what to do; None where it can be used.

    `answer`: what the backend of `python` (None: Blender's own) said of itself, None while it has said nothing.
    """
    if isinstance(answer, Hello) and "s2c" in answer.models:
        return None
    if python is None:
        return "S2C, for recordings, needs a Python with torch: make one by the setup command, or name one in the preferences."
    return _not_yet("S2C", answer, answer.missing if isinstance(answer, Hello) else ())


def setup_command(python: Path, root: Path, folder: Path, *, windows: bool) -> str:
    """One line for a terminal (on Windows: PowerShell) that makes the full level in `folder`."""
    if windows:
        quoted = [f"'{str(path).replace(chr(39), 2 * chr(39))}'" for path in (root, python, folder)]
        return "cd -LiteralPath {}; & {} -m backend setup --into {}".format(*quoted)
    quoted = [shlex.quote(str(path)) for path in (root, python, folder)]
    return "cd {} && {} -m backend setup --into {}".format(*quoted)


def deaf(answer: Hello | PianoHandsError | None, python: Target) -> str | None:
    """What is missing for hearing a recording's notes and what to do; None where it can be done."""
    if isinstance(answer, Hello) and not answer.missing_to_hear:
        return None
    if python is None:
        return "Hearing the notes of a recording needs a Python with torch: name one in the preferences."
    return _not_yet("Recordings", answer, answer.missing_to_hear if isinstance(answer, Hello) else ())


def _not_yet(wish: str, answer: Hello | PianoHandsError | None, lacks: Sequence[str]) -> str:
    if answer is None:
        return "Asking the Python in the preferences what it can do."
    if isinstance(answer, PianoHandsError):
        return f"{wish}: {answer.message} {answer.hint}".strip()
    return f"{wish}: the Python in the preferences lacks {', '.join(lacks)}. Install there, then look again."


def mismatch(piece: str, prior: Prior, recording: str = "", *, listens: bool = True) -> str | None:
    """Why a file, by its name, is nothing for a prior; None where it is, or where there is none.

    `listens`: whether the checkpoint does; the one that ships reads notes.
    """
    if prior == "s2c" and listens and Path(piece).suffix.lower() in MIDI_SUFFIXES and not recording:
        return "S2C listens to a recording: choose one of this MIDI file, too, or leave it to the planner."
    return None


def is_sound(piece: str) -> bool:
    """Whether a file, by its name, is a recording."""
    return Path(piece).suffix.lower() in SOUND_SUFFIXES
