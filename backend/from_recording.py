# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording as the source of a take: S2C listens and samples, and its hands are put on the keys of the notes that sound.

torch is imported when the work begins, not before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.keyboard import STANDARD_OCTAVE
from s2c_blender.wire.kind import Kind, kind_of
from s2c_blender.wire.messages import Generate

from . import config
from .from_notes import play
from .from_sound import Accompanied, Heard
from .kept_model import KeptModel
from .listen.audio import duration, read_mono
from .source import Listener

if TYPE_CHECKING:
    from .device import Device
    from .s2c.axes import HandConvention


@dataclass(frozen=True)
class Recording:
    """A recording that can be read, as long as it was asked for, the model to be used, and what its poses are relative to."""

    request: Generate
    sound: Path
    duration: float
    models: KeptModel
    convention: "HandConvention | None"  # None: our own hand's
    notes: Heard | Accompanied | None  # None: none are wanted

    @staticmethod
    def open(request: Generate, models: KeptModel) -> "Recording":
        """Look at the file's head. Raises PianoHandsError for what S2C cannot listen to, and where this Python cannot run it."""
        config.require()
        path = Path(request.input)
        if kind_of(path) is Kind.MIDI and request.recording is None:
            raise PianoHandsError(
                "not-sound",
                f"{path.name} is a MIDI file, and S2C listens to a recording.",
                "Choose a recording, alone or beside the MIDI file; or the planner, which plays notes.",
            )
        notes = None
        if request.recording is not None and kind_of(path) is Kind.MIDI:
            notes = Accompanied.open(request)
            path = notes.recording
        elif not request.raw or request.recording is not None:  # which it refuses
            notes = Heard.open(request)
        length = duration(path)
        if request.seconds is not None:
            length = min(length, request.seconds)
        if length < 1.0:
            raise PianoHandsError("too-short", f"Less than a second of {path.name} is not enough.", "Take more of it.")
        if not Path(request.checkpoint or "").is_dir():
            raise PianoHandsError(
                "bad-checkpoint", f"There is no folder {request.checkpoint}.", "Give the folder that import-checkpoint wrote."
            )
        return Recording(request, path, length, models, _convention(request), None if request.raw else notes)

    def burden(self) -> str:
        gigabytes = (config.S2C_MEMORY_BASE + config.S2C_MEMORY_PER_SECOND * self.duration) / 1000
        return f"{self.request.steps} steps over all of it, and about {gigabytes:.1f} GB of memory beside the model"

    def perform(self, listener: Listener) -> Clip:
        if self.notes is None:
            return self.sample(listener)
        score = self.notes.find(listener)
        clip = play(score, self.request, listener, prior=self.sample(listener))
        warn_of_registration(clip, listener)
        return replace(clip, made=clip.made | self.notes.how)

    def sample(self, listener: Listener, between: tuple[float, float] | None = None) -> Clip:
        """S2C's own take, without notes; only of those seconds of the recording, where they are given.

        Raises PianoHandsError, Cancelled.
        """
        from .s2c.config import SAMPLE_RATE

        asked = self.request

        def tick(done: int, total: int) -> None:
            listener.report("reading", done, total)
            if listener.cancelled():
                raise Cancelled

        begin, end = between or (0.0, asked.seconds)
        sound = read_mono(self.sound, rate=SAMPLE_RATE, seconds=end, tick=tick)[round(begin * SAMPLE_RATE) :]
        return generated(sound, asked, self.models, listener, begin=begin, convention=self.convention)

    def render(self, path: Path, listener: Listener) -> None:
        raise AssertionError("check_settings refuses: the recording is the sound")


def generated(
    heard: NDArray[np.float32],
    asked: Generate,
    models: KeptModel,
    listener: Listener,
    *,
    begin: float = 0.0,
    convention: "HandConvention | None" = None,
) -> Clip:
    """What the request's checkpoint makes of sound, or of a roll, that begins at `begin` seconds.

    Raises PianoHandsError, Cancelled.
    """
    assert asked.checkpoint is not None, "check_settings asks for it"
    model, device = models.load(Path(asked.checkpoint), listener)
    from .s2c import take, take_clip
    from .s2c.behaviour import behaviour
    from .s2c.sampler import Listening
    from .s2c.windows import out_of_memory

    how = behaviour(asked.compatibility)
    settings = take.SamplingSettings(seed=asked.seed, steps=asked.steps, behaviour=how)
    passes = _Passes(listener)
    listening = Listening(report=passes.step, cancelled=listener.cancelled, window=passes.windows)
    try:
        with _dropout_drawn_by(asked.seed, device):
            sampled = take.sample_take(model, heard, settings, device=device, listening=listening)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise PianoHandsError(
            "out-of-memory",
            "The memory ran out, even for one window of the piece at a time.",
            "Limit the seconds, or close other programs that use the device.",
        ) from error
    clip = take_clip.to_clip(sampled, fps=asked.fps, convention=convention, behaviour=how)
    scale = np.array([asked.octave / STANDARD_OCTAVE, 1.0, 1.0])  # over the same keys of another keyboard
    return replace(
        clip,
        start=clip.start + begin,
        translation=(clip.translation * scale).astype(np.float32),
        hand_size=asked.hand_size,
        octave=asked.octave,
        made={
            "prior": "s2c",
            "seed": asked.seed,
            "steps": asked.steps,
            "compatibility": asked.compatibility,
            "mean_pose": Path(asked.mano).name if asked.mano else "own",
            "checkpoint": Path(asked.checkpoint).name,
        },
    )


def warn_of_registration(clip: Clip, listener: Listener) -> None:
    """Says where a hand's motion could not be laid on the keys."""
    from .perform.registration import in_words

    words = in_words(clip.made.get("registration", {}))
    if words:
        listener.warn(PianoHandsError("not-registered", words, "See whether notes and recording belong together."))


class _Passes:
    """From windows and steps to one count: the recording is heard once, then every step goes over all its windows."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._step, self._steps = 0, 0  # none yet
        self._count = 1

    def step(self, done: int, total: int) -> None:
        self._step, self._steps = done, total
        if done:
            self._listener.report("sampling", done * self._count, total * self._count)

    def windows(self, done: int, total: int) -> None:
        self._count = total
        if not self._steps:
            self._listener.report("listening", done, total)
        else:
            self._listener.report("sampling", self._step * total + done, self._steps * total)


def _convention(request: Generate) -> "HandConvention | None":
    """Of the person's MANO file, where one was named. Raises PianoHandsError."""
    if not request.mano:
        return None
    from .s2c.mano import read_mano

    return read_mano(Path(request.mano)).convention


@contextmanager
def _dropout_drawn_by(seed: int, device: "Device") -> Iterator[None]:
    """Dropout, which reference compatibility leaves on, can only draw from torch's own generator: seed it, then put it back."""
    import torch

    with torch.random.fork_rng(devices=[device.torch] if device.torch.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
