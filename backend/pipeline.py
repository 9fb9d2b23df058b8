# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a MIDI file to a clip and its sound: refuse what cannot work first, then work, then put both files in place."""

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

from . import config

Warn = Callable[[PianoHandsError], None]


class Listener(Protocol):
    """Who hears of a job, and can stop it."""

    def report(self, stage: str, done: int, total: int) -> None: ...

    def warn(self, warning: PianoHandsError) -> None: ...

    def cancelled(self) -> bool: ...


def generate(request: Generate, listener: Listener) -> Path:
    """Play the MIDI file; returns the clip's path. Nothing is left behind unless all of it worked.

    Raises PianoHandsError for what the person can mend, Cancelled when told to stop.
    """
    check_settings(request)
    output = Path(request.output)
    audio = Path(request.audio_output) if request.audio_output else None
    for path in (output, audio):
        if path is not None:
            check_writable(path)
    listener.report("reading", 0, 1)
    score = _score(request)
    _check_space(output, score.duration, fps=request.fps, with_sound=audio is not None)
    _warn_of_length(score.duration, listener)

    from .listen.synth import render_score
    from .perform import Settings, perform

    settings = Settings(fps=request.fps, seed=request.seed, hand_size=request.hand_size, style=request.style, octave=request.octave)

    def report(stage: str, done: int, total: int) -> None:
        listener.report(stage, done, total)
        if listener.cancelled():  # between stages that do not look themselves
            raise Cancelled

    clip = perform(score, settings, report=report, cancelled=listener.cancelled)
    clip = replace(clip, made=clip.made | {"version": config.version(), "input": Path(request.input).name})
    staged = {path: path.with_name(f".{path.name}.{os.getpid()}.new") for path in (output, audio) if path is not None}
    try:
        if audio is not None:
            render_score(
                score,
                staged[audio],
                sample_rate=config.SAMPLE_RATE,
                report=lambda done, total: listener.report("sound", int(done), max(1, int(total))),
                cancelled=listener.cancelled,
            )
        listener.report("saving", 0, 1)
        clip.save(staged[output])
        if listener.cancelled():
            raise Cancelled
        _put_in_place(staged)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    listener.report("saving", 1, 1)
    return output


def check_settings(request: Generate) -> None:
    """Raises PianoHandsError('bad-setting') for figures that no hand, piano or scene has."""
    for name, value, smallest, largest in (
        ("fps", request.fps, config.SLOWEST_FPS, config.FASTEST_FPS),
        ("hand size", request.hand_size * 100, config.SMALLEST_SPAN * 100, config.LARGEST_SPAN * 100),
        ("octave", request.octave * 1000, config.SMALLEST_OCTAVE * 1000, config.LARGEST_OCTAVE * 1000),
        ("style", request.style, 0.0, 1.0),
        ("seed", request.seed, 0, 2**31 - 1),
        ("number of seconds", 1.0 if request.seconds is None else request.seconds, 0.1, 1e6),
    ):
        if not smallest <= value <= largest:
            unit = {"hand size": " cm", "octave": " mm"}.get(name, "")
            raise PianoHandsError(
                "bad-setting",
                f"A {name} of {value:g}{unit} makes no sense.",
                f"Choose one from {smallest:g}{unit} to {largest:g}{unit}.",
            )


def check_writable(path: Path) -> None:
    """Try to write beside `path`, before any work is done. Raises PianoHandsError('no-folder', 'not-writable')."""
    if path.is_dir():
        raise PianoHandsError("not-writable", f"{path} is a folder.", "Give the name of a file.")
    if not path.parent.is_dir():
        raise PianoHandsError("no-folder", f"There is no folder {path.parent}.", "Make it, or choose another.")
    probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
    try:
        probe.write_bytes(b"\0")
    except OSError as error:
        raise PianoHandsError(
            "not-writable",
            f"Nothing can be written into {path.parent}: {error.strerror or error}.",
            "Choose a folder you may write to, with space left.",
        ) from error
    finally:
        _forget(probe)


def first_seconds(score: Score, seconds: float) -> Score:
    """What begins in the first `seconds`; notes that go on are cut there."""
    notes: tuple[NoteEvent, ...] = tuple(
        replace(note, offset=min(note.offset, seconds)) for note in score.notes if note.onset < seconds
    )
    pedal: tuple[PedalEvent, ...] = tuple(event for event in score.pedal if event.time < seconds)
    return replace(score, notes=notes, pedal=pedal)


def _score(request: Generate) -> Score:
    from .score import read_midi

    score = read_midi(Path(request.input))
    if request.seconds is None:
        return score
    score = first_seconds(score, request.seconds)
    if not score.notes:
        raise PianoHandsError(
            "no-notes",
            f"{Path(request.input).name} has no notes in its first {request.seconds:g} seconds.",
            "Take more seconds of it.",
        )
    return score


def _check_space(output: Path, seconds: float, *, fps: float, with_sound: bool) -> None:
    needed = seconds * max(fps, 48.0) * config.CLIP_BYTES_PER_FRAME
    if with_sound:
        needed += seconds * config.SOUND_BYTES_PER_SECOND
    free = shutil.disk_usage(output.parent).free
    if free < needed:
        raise PianoHandsError(
            "write-failed",
            f"{output.parent} has {free / 1e6:.0f} MB left, and this piece needs about {needed / 1e6:.0f} MB.",
            "Free some space, or choose another folder.",
        )


def _warn_of_length(seconds: float, listener: Listener) -> None:
    if seconds <= config.WARN_SECONDS:
        return
    hours, minutes = divmod(round(seconds / 60), 60)
    work = seconds * config.WORK_PER_SECOND / 60
    gigabytes = (config.MEMORY_BASE + config.MEMORY_PER_SECOND * seconds) / 1000
    listener.warn(
        PianoHandsError(
            "long-piece",
            f"This piece lasts {hours} h {minutes:02d} min: about {work:.0f} minutes of work and {gigabytes:.1f} GB of memory.",
            "You can cancel, and limit the seconds or cut the file into its movements.",
        )
    )


def _put_in_place(staged: dict[Path, Path]) -> None:
    for path, temporary in staged.items():
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise PianoHandsError(
                "write-failed",
                f"{path} could not be written: {error.strerror or error}.",
                "Close programs that hold the file open, or choose another name.",
            ) from error


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):  # it was never made
        path.unlink()
