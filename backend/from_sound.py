# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording as the source of the planner's take: its notes are heard first. Or a MIDI file and a recording of the same piece:
its notes are put where the recording has them. torch is imported when notes are to be heard, not before.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.kind import Kind, kind_of
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import Score

from . import config
from .from_notes import Piece, burden, limited, play, render
from .listen.audio import duration, mono_blocks
from .source import Listener

_SHORTEST = 0.1  # seconds of sound in which a note can be


@dataclass
class Heard:
    """A recording whose notes are not known yet: `perform` finds them."""

    request: Generate
    duration: float
    score: Score = field(default_factory=lambda: Score(()))

    @staticmethod
    def open(request: Generate) -> "Heard":
        """Look at the file's head. Raises PianoHandsError for what cannot be listened to, and where this Python cannot."""
        if request.recording is not None:
            raise PianoHandsError(
                "bad-setting",
                f"{Path(request.input).name} is a recording itself, and needs no other one.",
                "Choose a MIDI file, or leave the second recording out.",
            )
        needed = config.DRAFT_HEARING if request.draft else config.HEARING
        config.require(needed, "Hearing the notes of a recording needs")
        length = duration(Path(request.input))
        if request.seconds is not None:
            length = min(length, request.seconds)
        if length < _SHORTEST:
            raise PianoHandsError(
                "too-short", f"{1000 * length:.0f} ms of {Path(request.input).name} are not enough.", "Choose a longer recording."
            )
        return Heard(request, length)

    def burden(self) -> str:
        work, memory = config.HEARING_WORK_PER_SECOND, config.HEARING_MEMORY
        if self.request.draft:
            work, memory = config.DRAFT_WORK_PER_SECOND, config.DRAFT_MEMORY
        return burden(self.duration, extra_work=work * self.duration, extra_memory=memory)

    def perform(self, listener: Listener) -> Clip:
        self.find(listener)
        clip = play(self.score, self.request, listener)
        return replace(clip, made=clip.made | self.how)

    def find(self, listener: Listener) -> Score:
        """The notes. Raises PianoHandsError, Cancelled."""
        path = Path(self.request.input)
        self.score = hear(path, self.duration, self.request, listener)
        if not self.score.notes:
            raise PianoHandsError(
                "no-notes", f"No notes of a piano are heard in {path.name}.", "Choose a recording of a piano that is loud enough."
            )
        return self.score

    @property
    def how(self) -> dict[str, Any]:
        """How the notes were found."""
        return {"notes": "basic-pitch" if self.request.draft else "transkun"}

    def render(self, path: Path, listener: Listener) -> None:
        render(self.score, path, listener)


def hear(path: Path, length: float, request: Generate, listener: Listener) -> Score:
    """Notes of the recording's first `length` seconds, and its pedal but in a draft. Raises PianoHandsError, Cancelled."""
    listener.report("loading", 0, 1)

    def tick(done: float) -> None:
        listener.report("transcribing", round(10 * min(done, length)), max(1, round(10 * length)))
        if listener.cancelled():
            raise Cancelled

    if request.draft:
        from .listen.draft import RATE, DraftTranscriber

        return DraftTranscriber.load().transcribe(mono_blocks(path, rate=RATE, seconds=request.seconds), tick)
    from . import device
    from .listen.transcribe import RATE, Transcriber
    from .s2c.windows import out_of_memory

    place = device.resolve().torch
    transcriber = Transcriber.load(place if place.type == "cuda" else device.resolve("cpu").torch)
    try:
        score = transcriber.transcribe(mono_blocks(path, rate=RATE, seconds=request.seconds), tick)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise PianoHandsError(
            "out-of-memory", "The memory ran out while the recording was listened to.", "Close other programs that use the device."
        ) from error
    tick(length)
    return score


@dataclass
class Accompanied:
    """A MIDI file's notes, and the recording that says when they sound."""

    request: Generate
    score: Score
    recording: Path
    duration: float
    how: dict[str, Any] = field(default_factory=dict)  # the notes were found

    @staticmethod
    def open(request: Generate) -> "Accompanied":
        """Read the notes and look at the recording's head. Raises PianoHandsError for what is neither."""
        recording = Path(request.recording or "")
        if kind_of(recording) is Kind.MIDI:
            raise PianoHandsError(
                "not-sound", f"{recording.name} is a MIDI file, not a recording.", "Choose the sound that goes with the notes."
            )
        piece = Piece.open(replace(request, seconds=None))  # how much is meant is known when the notes are in place
        length = duration(recording)
        length = length if request.seconds is None else min(length, request.seconds)
        return Accompanied(request, piece.score, recording, length)

    def burden(self) -> str:
        return burden(self.duration)

    def perform(self, listener: Listener) -> Clip:
        self.find(listener)
        clip = play(self.score, self.request, listener)
        return replace(clip, made=clip.made | self.how)

    def find(self, listener: Listener) -> Score:
        """The notes where the recording has them. Raises PianoHandsError, Cancelled."""
        from .listen.align import align
        from .listen.chroma import RATE

        asked = self.request

        def tick(done: int, total: int) -> None:
            listener.report("aligning", done, max(1, total))
            if listener.cancelled():
                raise Cancelled

        blocks = mono_blocks(self.recording, rate=RATE, tick=lambda done, total: tick(done, 2 * total))
        alignment = align(self.score, blocks, lambda done, total: tick(total + done, 2 * total))
        listener.warn(PianoHandsError("aligned", alignment.in_words(), ""))
        self.score = limited(alignment.score, asked.seconds, self.recording.name)
        if not self.score.notes:
            raise PianoHandsError(
                "not-aligned",
                f"No note lies within {self.recording.name}.",
                "Choose the recording that belongs to it.",
            )
        self.how = {
            "recording": self.recording.name,
            "offset": alignment.offset,
            "drift": alignment.drift,
            "warped": alignment.warped,
        }
        return self.score

    def render(self, path: Path, listener: Listener) -> None:
        render(self.score, path, listener)
