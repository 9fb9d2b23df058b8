# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as the source of another: its notes solved again on the hands that its file carries, some of them given other fingers,
or a part of it made anew."""

from dataclasses import dataclass, replace
from pathlib import Path

from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Generate

from . import config
from .fixed import find_notes
from .from_notes import burden, render, settings_of
from .from_recording import Recording
from .from_roll import read_by_s2c
from .kept_model import KeptModel
from .source import Listener

_HEARD_AROUND = 4.0  # seconds before and after a part that S2C hears, too: half of one of its windows


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


@dataclass(frozen=True)
class Refingered:
    """A take and the fingers wanted for some of its notes; all far from them stays bit for bit."""

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


@dataclass(frozen=True)
class Anew:
    """A take of which all is kept but what lies between two moments."""

    clip: Clip
    request: Generate
    between: tuple[float, float]
    recording: Recording | None  # S2C listens to; None: it reads the notes, or the planner moves the hands
    models: KeptModel

    @staticmethod
    def open(request: Generate, models: KeptModel) -> "Anew":
        """Read the file. Raises PianoHandsError for what is no take, and for what cannot be made anew."""
        clip = Clip.load(Path(request.input))
        skeleton_of(clip)
        assert request.begin is not None and request.end is not None, "check_settings asks for both"
        recording = None
        if request.prior == "s2c" and not config.reads_notes(request.checkpoint):
            if request.recording is None:
                raise PianoHandsError(
                    "bad-setting", "S2C listens to the recording that this take was made from.", "Name it, or choose the planner."
                )
            heard = replace(request, input=request.recording, recording=None, raw=True, fps=clip.fps, octave=clip.octave)
            recording = Recording.open(heard, models)
        elif not clip.fingering.played.any():
            raise PianoHandsError("no-notes", "This take knows no notes, by which hands are moved.", "Choose an S2C that listens.")
        return Anew(clip, request, (request.begin, request.end), recording, models)

    @property
    def duration(self) -> float:
        return self.between[1] - self.between[0]

    def burden(self) -> str:
        return self.recording.burden() if self.recording else burden(self.duration)

    def perform(self, listener: Listener) -> Clip:
        from .perform.regenerate import regenerate

        begin, end = self.between
        around = max(begin - _HEARD_AROUND, 0.0), end + _HEARD_AROUND
        prior = self.recording.sample(listener, around) if self.recording else None
        if self.recording is None and self.request.prior == "s2c":
            asked = replace(self.request, fps=self.clip.fps, octave=self.clip.octave)
            known = self.clip.fingering
            prior = read_by_s2c(self.clip.score, asked, self.models, listener, fingering=known, between=around)
        return regenerate(
            self.clip,
            self.between,
            settings_of(self.request),
            prior=prior,
            report=lambda done, total: listener.report("solving", done, total),
            cancelled=listener.cancelled,
        )

    def render(self, path: Path, listener: Listener) -> None:
        render(self.clip.score, path, listener)
