# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a file to a clip and its sound: refuse what cannot work first, then work, then put both files in place."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.kind import Kind, is_recording, kind_of
from s2c_blender.wire.messages import MOST_STEPS, Generate

from . import config
from .kept_model import KeptModel
from .source import Listener, Source
from .space import check_space


def generate(request: Generate, listener: Listener, models: KeptModel | None = None) -> Path:
    """Play the piece or the recording; returns the clip's path. Nothing is left behind unless all of it worked.

    `models` keeps a model for later jobs. Raises PianoHandsError for what the person can mend, Cancelled when told to stop.
    """
    request = _with_own_checkpoint(request)
    check_settings(request)
    output = Path(request.output)
    audio = Path(request.audio_output) if request.audio_output else None
    for path in (output, audio):
        if path is not None:
            check_writable(path)
    listener.report("reading", 0, 1)
    source = _open(request, models or KeptModel())
    check_inputs_stay([Path(name) for name in (request.input, request.mano, request.recording) if name], output, audio)
    _check_room(output, source.duration, fps=request.fps, with_sound=audio is not None)
    _warn_of_length(source, listener)
    clip = source.perform(listener)
    made = clip.made | {"version": config.version()}
    if kind_of(Path(request.input)) is not Kind.TAKE:  # a take says itself what it was made from
        made["input"] = Path(request.input).name
    clip = replace(clip, made=made)
    with _in_place_at_the_end(output, *([audio] if audio else [])) as staged:
        if audio is not None:
            source.render(staged[audio], listener)
        listener.report("saving", 0, 1)
        clip.save(staged[output])
        if listener.cancelled():
            raise Cancelled
    listener.report("saving", 1, 1)
    return output


def _with_own_checkpoint(request: Generate) -> Generate:
    own = config.own_checkpoint() if request.prior == "s2c" and request.checkpoint is None else None
    return replace(request, checkpoint=str(own)) if own else request


def check_settings(request: Generate) -> None:
    """Raises PianoHandsError('bad-setting') for figures that no hand, piano or scene has, and for what a prior has no use for."""
    for name, value, smallest, largest in (
        ("fps", request.fps, config.SLOWEST_FPS, config.FASTEST_FPS),
        ("hand size", request.hand_size * 100, config.SMALLEST_SPAN * 100, config.LARGEST_SPAN * 100),
        ("octave", request.octave * 1000, config.SMALLEST_OCTAVE * 1000, config.LARGEST_OCTAVE * 1000),
        ("style", request.style, 0.0, 1.0),
        ("seed", request.seed, 0, 2**31 - 1),
        ("number of seconds", 1.0 if request.seconds is None else request.seconds, 0.1, 1e6),
        ("number of steps", request.steps, 1, MOST_STEPS),
        ("share of the keys", request.on_keys, 0.0, 1.0),
    ):
        if not smallest <= value <= largest:
            unit = {"hand size": " cm", "octave": " mm"}.get(name, "")
            raise PianoHandsError(
                "bad-setting",
                f"A {name} of {value:g}{unit} makes no sense.",
                f"Choose one from {smallest:g}{unit} to {largest:g}{unit}.",
            )
    if request.prior == "s2c" and not request.checkpoint:
        raise PianoHandsError("bad-setting", "S2C needs a checkpoint.", "Name the folder that import-checkpoint wrote.")
    if request.prior == "planner" and request.raw:
        raise PianoHandsError("bad-setting", "The planner generates nothing raw: it goes by notes.", "Choose S2C.")
    if (request.begin is None) != (request.end is None):
        raise PianoHandsError("bad-setting", "Of the part to be made anew one end is missing.", "Give both.")
    listens = request.prior == "s2c" and not config.reads_notes(request.checkpoint)
    if listens and request.audio_output and (request.recording or is_recording(Path(request.input))):
        raise PianoHandsError("bad-setting", "This S2C makes no sound: it listens to the recording.", "Leave the sound file out.")


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


def _open(request: Generate, models: KeptModel) -> Source:
    if kind_of(Path(request.input)) is Kind.TAKE:
        return _open_take(request, models)
    if request.begin is not None:
        raise PianoHandsError("bad-setting", f"{Path(request.input).name} is no take.", "Choose the take of which a part is meant.")
    if request.prior == "s2c" and config.reads_notes(request.checkpoint):
        from .from_roll import Roll

        return Roll.open(request, models)
    if request.prior == "s2c":
        from .from_recording import Recording

        return Recording.open(request, models)
    if is_recording(Path(request.input)):
        from .from_sound import Heard

        return Heard.open(request)
    if request.recording is not None:
        from .from_sound import Accompanied

        return Accompanied.open(request)
    from .from_notes import Piece

    return Piece.open(request)


def _open_take(request: Generate, models: KeptModel) -> Source:
    from .from_take import Again, Anew, Refingered

    if request.begin is not None:
        return Anew.open(request, models)
    return Refingered.open(request) if request.fixed else Again.open(request)


def check_inputs_stay(given: Sequence[Path], *written: Path | None) -> None:
    """Raises PianoHandsError('not-writable') where something would be written over what was given."""
    for path in written:
        if path is not None and path.resolve() in [other.resolve() for other in given]:
            raise PianoHandsError("not-writable", f"{path.name} would be written over what it is made from.", "Give another name.")


def _check_room(output: Path, seconds: float, *, fps: float, with_sound: bool) -> None:
    needed = seconds * max(fps, 48.0) * config.CLIP_BYTES_PER_FRAME
    if with_sound:
        needed += seconds * config.SOUND_BYTES_PER_SECOND
    check_space(output.parent, needed, "this piece")


def _warn_of_length(source: Source, listener: Listener) -> None:
    if source.duration <= config.WARN_SECONDS:
        return
    hours, minutes = divmod(round(source.duration / 60), 60)
    listener.warn(
        PianoHandsError(
            "long-piece",
            f"This piece lasts {hours} h {minutes:02d} min: {source.burden()}.",
            "You can cancel, and limit the seconds or cut the file into its movements.",
        )
    )


@contextmanager
def _in_place_at_the_end(*paths: Path) -> Iterator[dict[Path, Path]]:
    """Where to write each file meanwhile: all are put in place when the work has gone well, and none otherwise."""
    staged = {path: path.with_name(f".{path.name}.{os.getpid()}.new") for path in paths}
    try:
        yield staged
        for path, temporary in staged.items():
            _put_in_place(temporary, path)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, path: Path) -> None:
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
