# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as the source of another: its notes solved again, on the hands that its file carries, such as a character's."""

from dataclasses import dataclass
from pathlib import Path

from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Generate

from .from_notes import burden, render
from .source import Listener


@dataclass(frozen=True)
class Again:
    """A take that has notes, and the hands to play them."""

    clip: Clip

    @staticmethod
    def open(request: Generate) -> "Again":
        """Read the file. Raises PianoHandsError('bad-clip', 'no-notes')."""
        clip = Clip.load(Path(request.input))
        skeleton_of(clip)
        if not clip.fingering.played.any():
            raise PianoHandsError(
                "no-notes", "This take knows no notes, so its hands cannot be put on keys again.", "Copy its motion instead."
            )
        return Again(clip)

    @property
    def duration(self) -> float:
        return self.clip.score.duration

    def burden(self) -> str:
        return burden(self.duration)

    def perform(self, listener: Listener) -> Clip:
        from .perform import perform_again

        def report(stage: str, done: int, total: int) -> None:
            listener.report(stage, done, total)
            if listener.cancelled():
                raise Cancelled

        return perform_again(self.clip, report=report, cancelled=listener.cancelled)

    def render(self, path: Path, listener: Listener) -> None:
        render(self.clip.score, path, listener)
