# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes as the source of a take by an S2C that reads them instead of listening: a MIDI file's, a recording's, or both files'.

torch is imported when the work begins, not before.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.kind import is_recording
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import Fingering, Score

from . import config
from .from_notes import Piece, play
from .from_recording import generated, warn_of_registration
from .from_sound import Accompanied, Heard
from .kept_model import KeptModel
from .source import Listener

_ROOM = 1.0  # seconds of motion after the last note


@dataclass(frozen=True)
class Roll:
    """Where the notes come from, and the model that reads them."""

    request: Generate
    notes: Piece | Heard | Accompanied
    models: KeptModel

    @staticmethod
    def open(request: Generate, models: KeptModel) -> "Roll":
        """Read the notes, or look at the recording's head. Raises PianoHandsError."""
        config.require()
        if is_recording(Path(request.input)):
            return Roll(request, Heard.open(request), models)
        kind = Piece if request.recording is None else Accompanied
        return Roll(request, kind.open(request), models)

    @property
    def duration(self) -> float:
        return self.notes.duration

    def burden(self) -> str:
        return f"{self.request.steps} steps over all of it; {self.notes.burden()}"

    def perform(self, listener: Listener) -> Clip:
        score = self.notes.score if isinstance(self.notes, Piece) else self.notes.find(listener)
        motion = read_by_s2c(score, self.request, self.models, listener)
        if self.request.raw:
            return motion
        clip = play(score, self.request, listener, prior=motion)
        warn_of_registration(clip, listener)
        return clip if isinstance(self.notes, Piece) else replace(clip, made=clip.made | self.notes.how)

    def render(self, path: Path, listener: Listener) -> None:
        self.notes.render(path, listener)


def read_by_s2c(
    score: Score,
    request: Generate,
    models: KeptModel,
    listener: Listener,
    *,
    fingering: Fingering | None = None,
    between: tuple[float, float] | None = None,
) -> Clip:
    """The motion of the notes, without them; only of the seconds `between`, if given. `fingering`: of the notes, where known.

    Raises PianoHandsError, Cancelled.
    """
    from .perform.fingering import assign_fingers
    from .perform.hands_split import assign_hands
    from .s2c.config import MODEL_FPS
    from .s2c.note_roll import note_roll

    begin, end = between or (0.0, score.duration + _ROOM)
    frames = max(int(np.ceil((end - begin) * MODEL_FPS)), 1)
    roll = note_roll(score, fingering or assign_fingers(score, assign_hands(score)), frames=frames, begin=begin)
    return generated(roll, request, models, listener, begin=begin)
