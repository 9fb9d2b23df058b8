# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as the source of another: some notes get the fingers that the person wants, and all far from them stays bit for bit."""

from dataclasses import dataclass
from pathlib import Path

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Generate

from .fixed import find_notes
from .from_notes import burden, render
from .source import Listener


@dataclass(frozen=True)
class Refingered:
    """A take and the fingers wanted for some of its notes."""

    clip: Clip
    request: Generate

    @staticmethod
    def open(request: Generate) -> "Refingered":
        """Read the file. Raises PianoHandsError('bad-clip')."""
        return Refingered(Clip.load(Path(request.input)), request)

    @property
    def duration(self) -> float:
        return self.clip.score.duration

    def burden(self) -> str:
        return burden(0.0)

    def perform(self, listener: Listener) -> Clip:
        from .perform.reassign import reassign

        changes, lost = find_notes(self.clip.score, self.request.fixed)
        if lost:
            raise PianoHandsError(
                "no-note", f"The take has no note of pitch {lost[0][1]} at {lost[0][0]:.2f} s.", "List the notes again."
            )
        listener.report("solving", 0, 1)
        if listener.cancelled():
            raise Cancelled
        return reassign(self.clip, changes)

    def render(self, path: Path, listener: Listener) -> None:
        render(self.clip.score, path, listener)
