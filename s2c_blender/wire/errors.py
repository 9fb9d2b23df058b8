# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person can do something about."""


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


class Cancelled(Exception):
    """The person cancelled the job."""
