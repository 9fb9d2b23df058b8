# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip is made from, and who hears of the work: the two sides between which the pipeline stands."""

from pathlib import Path
from typing import Protocol

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError


class Listener(Protocol):
    """Who hears of a job, and can stop it."""

    def report(self, stage: str, done: int, total: int) -> None: ...

    def warn(self, warning: PianoHandsError) -> None: ...

    def cancelled(self) -> bool: ...


class Source(Protocol):
    """Notes or a recording, opened and found fit for a prior; nothing has been worked out yet."""

    @property
    def duration(self) -> float:
        """Seconds from time zero."""
        ...

    def burden(self) -> str:
        """What a take of this length costs, in words."""
        ...

    def perform(self, listener: Listener) -> Clip:
        """Work the clip out. Raises PianoHandsError, Cancelled."""
        ...

    def render(self, path: Path, listener: Listener) -> None:
        """Write the sound, where one was asked for. Raises PianoHandsError, Cancelled."""
        ...
