# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person can do something about."""

from pathlib import Path


class PianoHandsError(Exception):
    """What happened, under a stable `code`, and what to do about it (`hint`).

    Raised for everything the person can mend; a bug raises something else.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def write_failed(path: Path, error: OSError) -> PianoHandsError:
    """The error for a file that could not be written: no permission, no space."""
    return PianoHandsError(
        "write-failed",
        f"{path} could not be written: {error.strerror or error}.",
        "Choose a folder you may write to, with space left.",
    )


class Cancelled(Exception):
    """The person cancelled the job."""
