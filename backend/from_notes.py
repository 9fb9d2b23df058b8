# SPDX-License-Identifier: GPL-3.0-or-later
"""A MIDI file as the source of a take: the planner's fingers and motion, the solve, and synthesised sound. NumPy and mido."""

from dataclasses import dataclass, replace
from pathlib import Path

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.kind import Kind, kind_of
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

from . import config
from .source import Listener


@dataclass(frozen=True)
class Piece:
    """A piece's notes, as far as they were asked for."""

    request: Generate
    score: Score

    @staticmethod
    def open(request: Generate) -> "Piece":
        """Read the file. Raises PianoHandsError for what is no piece."""
        from .score import read_midi

        path = Path(request.input)
        if kind_of(path) is Kind.RECORDING:
            raise PianoHandsError(
                "not-midi",
                f"{path.name} is a recording, and the planner plays the notes of a MIDI file.",
                "Choose a .mid file; or S2C, which listens to recordings.",
            )
        score = read_midi(path)
        if request.seconds is not None:
            score = first_seconds(score, request.seconds)
            if not score.notes:
                raise PianoHandsError(
                    "no-notes",
                    f"{path.name} has no notes in its first {request.seconds:g} seconds.",
                    "Take more seconds of it.",
                )
        return Piece(request, score)

    @property
    def duration(self) -> float:
        return self.score.duration

    def burden(self) -> str:
        work = self.duration * config.WORK_PER_SECOND / 60
        gigabytes = (config.MEMORY_BASE + config.MEMORY_PER_SECOND * self.duration) / 1000
        return f"about {work:.0f} minutes of work and {gigabytes:.1f} GB of memory"

    def perform(self, listener: Listener) -> Clip:
        from .perform import Settings, perform

        asked = self.request
        settings = Settings(fps=asked.fps, seed=asked.seed, hand_size=asked.hand_size, style=asked.style, octave=asked.octave)

        def report(stage: str, done: int, total: int) -> None:
            listener.report(stage, done, total)
            if listener.cancelled():  # between stages that do not look themselves
                raise Cancelled

        return perform(self.score, settings, report=report, cancelled=listener.cancelled)

    def render(self, path: Path, listener: Listener) -> None:
        from .listen.synth import render_score

        render_score(
            self.score,
            path,
            sample_rate=config.SAMPLE_RATE,
            report=lambda done, total: listener.report("sound", int(done), max(1, int(total))),
            cancelled=listener.cancelled,
        )


def first_seconds(score: Score, seconds: float) -> Score:
    """What begins in the first `seconds`; notes that go on are cut there."""
    notes: tuple[NoteEvent, ...] = tuple(
        replace(note, offset=min(note.offset, seconds)) for note in score.notes if note.onset < seconds
    )
    pedal: tuple[PedalEvent, ...] = tuple(event for event in score.pedal if event.time < seconds)
    return replace(score, notes=notes, pedal=pedal)
