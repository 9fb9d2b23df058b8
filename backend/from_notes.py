# SPDX-License-Identifier: GPL-3.0-or-later
"""A MIDI file as the source of a take: the planner's fingers and motion, the solve, and synthesised sound. NumPy and mido."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

from . import config
from .fixed import with_fixed
from .source import Listener

if TYPE_CHECKING:
    from .perform import Settings


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
        return Piece(request, limited(read_midi(path), request.seconds, path.name))

    @property
    def duration(self) -> float:
        return self.score.duration

    def burden(self) -> str:
        return burden(self.duration)

    def perform(self, listener: Listener) -> Clip:
        return play(self.score, self.request, listener)

    def render(self, path: Path, listener: Listener) -> None:
        render(self.score, path, listener)


def burden(duration: float, *, extra_work: float = 0.0, extra_memory: float = 0.0) -> str:
    """What playing so many seconds costs, in words; beside `extra_work` seconds and `extra_memory` MB."""
    work = (duration * config.WORK_PER_SECOND + extra_work) / 60
    gigabytes = (config.MEMORY_BASE + config.MEMORY_PER_SECOND * duration + extra_memory) / 1000
    return f"about {work:.0f} minutes of work and {gigabytes:.1f} GB of memory"


def play(score: Score, asked: Generate, listener: Listener, prior: Clip | None = None) -> Clip:
    """A clip of the notes; its motion is the planner's, or near `prior`. Raises PianoHandsError, Cancelled."""
    from .perform import perform

    score = with_fixed(score, asked.fixed, listener)

    def report(stage: str, done: int, total: int) -> None:
        listener.report(stage, done, total)
        if listener.cancelled():  # between stages that do not look themselves
            raise Cancelled

    return perform(score, settings_of(asked), prior=prior, report=report, cancelled=listener.cancelled)


def settings_of(asked: Generate) -> "Settings":
    """What of a request matters to the hands."""
    from .perform import Settings

    return Settings(
        fps=asked.fps,
        seed=asked.seed,
        hand_size=asked.hand_size,
        style=asked.style,
        octave=asked.octave,
        on_keys=asked.on_keys,
    )


def render(score: Score, path: Path, listener: Listener) -> None:
    """The notes made audible. Raises PianoHandsError, Cancelled."""
    from .listen.synth import render_score

    render_score(
        score,
        path,
        sample_rate=config.SAMPLE_RATE,
        report=lambda done, total: listener.report("sound", int(done), max(1, int(total))),
        cancelled=listener.cancelled,
    )


def limited(score: Score, seconds: float | None, name: str) -> Score:
    """What was asked for of it. Raises PianoHandsError('no-notes') where nothing is left."""
    if seconds is None:
        return score
    score = first_seconds(score, seconds)
    if not score.notes:
        raise PianoHandsError("no-notes", f"{name} has no notes in its first {seconds:g} seconds.", "Take more seconds of it.")
    return score


def first_seconds(score: Score, seconds: float) -> Score:
    """What begins in the first `seconds`; notes that go on are cut there."""
    notes: tuple[NoteEvent, ...] = tuple(
        replace(note, offset=min(note.offset, seconds)) for note in score.notes if note.onset < seconds
    )
    pedal: tuple[PedalEvent, ...] = tuple(event for event in score.pedal if event.time < seconds)
    return replace(score, notes=notes, pedal=pedal, bars=tuple(bar for bar in score.bars if bar < seconds))
