# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on and the backend say to each other: frozen dataclasses, one JSON line each, read strictly.

An unknown type, an unknown or missing key and a wrong type are errors that name it; nothing is guessed.
"""

import json
import re
import types
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from .errors import PianoHandsError
from .keyboard import STANDARD_OCTAVE

#: Raised by one whenever a message changes; both sides must say the same number.
PROTOCOL = 6

#: Of S2C's sampler, DPM-Solver++: the fewest within a degree rms of 1000 steps of DDIM (tests/bench/bench_samplers.py).
DEFAULT_STEPS = 16
MOST_STEPS = 1000

Prior: TypeAlias = Literal["planner", "s2c"]
Compatibility: TypeAlias = Literal["none", "reference"]
#: A note by its onset (seconds) and pitch, with the hand (a `HandSide`) and finger (1-5) that the person wants for it.
Fixed: TypeAlias = tuple[float, int, int, int]
#: The piece goes up, and what else the person gave; clip and sound come down.
FileRole: TypeAlias = Literal["input", "recording", "mano", "clip", "sound"]

_JOB_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Hello:
    """The backend's first line: what it is and what it can do."""

    protocol: int
    version: str  # of the extension
    python: str
    level: str  # "built-in", or "full" where all is there that S2C needs
    devices: tuple[str, ...]  # on which models can run
    models: tuple[str, ...]  # motion priors
    missing: tuple[str, ...] = ()  # packages that S2C needs and this Python lacks
    checkpoint: bool = False  # whether it has a checkpoint of its own, for jobs that name none
    missing_to_hear: tuple[str, ...] = ()  # packages that finding the notes of a recording needs and this Python lacks


@dataclass(frozen=True, slots=True)
class Generate:
    """Turn a MIDI file, a recording or both into a clip; S2C listens to the recording. Or make a part of a take anew.

    Paths are absolute; a file already at `output` is replaced only by a finished one. Where the job is `carried`, the two sides
    share no disk: the input was sent up before, clip and sound are sent down before the end, and their names are mere names.
    """

    job: str
    input: str
    output: str  # .npz
    audio_output: str | None = None  # .wav, synthesised from the notes; not for S2C, whose sound is the recording
    recording: str | None = None  # of the MIDI file's or the take's piece: it says when the notes sound, and S2C listens to it
    fps: float = 60.0  # the scene's
    seed: int = 0
    hand_size: float = 0.22  # span from thumb tip to little fingertip, metres
    style: float = 0.5  # 0 calm to 1 lively; of the planner
    seconds: float | None = None  # only so much of the piece, from time zero
    octave: float = STANDARD_OCTAVE  # width of seven white keys, metres
    prior: Prior = "planner"
    checkpoint: str | None = None  # S2C's folder, on the backend's machine; None: the one that setup put beside its Python
    mano: str | None = None  # the person's MANO_RIGHT.pkl, on whose mean pose S2C builds; None: our own hand's
    steps: int = DEFAULT_STEPS  # of S2C's sampler
    compatibility: Compatibility = "none"  # "reference": S2C as the published scripts do it
    on_keys: float = 1.0  # of S2C: fingers exactly as generated (0) to on the keys (1)
    raw: bool = False  # S2C's take as it is generated: no notes are known, and where the keyboard lies is not either
    draft: bool = False  # a recording's notes are heard in a hurry, by basic-pitch: no torch, no pedal, more mistakes
    begin: float | None = None  # where the input is a take: only from here, seconds,
    end: float | None = None  # to here is it made anew, and all else of it is kept
    fixed: tuple[Fixed, ...] = ()  # fingers that the person wants; where the input is a take, nothing else changes in it
    carried: bool = False


@dataclass(frozen=True, slots=True)
class FileBegins:
    """A file of `size` bytes comes in chunks; `name` is a plain name."""

    job: str
    role: FileRole
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next at most 32 KB of a file, in base64."""

    job: str
    role: FileRole
    index: int  # from 0
    data: str


@dataclass(frozen=True, slots=True)
class Received:
    """So many chunks of an upload are in: the next may come."""

    job: str
    role: FileRole
    count: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End the backend."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of a stage of the job."""

    job: str
    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the person should know; the job goes on."""

    job: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The job is done and its clip lies at this path."""

    job: str
    clip: str


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """The job was cancelled and left nothing behind."""

    job: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The job, or a line on the wire (then `job` is empty), came to nothing."""

    job: str | None
    code: str
    message: str
    hint: str


Message: TypeAlias = (
    Hello | Generate | FileBegins | Chunk | Received | Shutdown | Progress | Warned | Finished | JobCancelled | Failed
)

_NAME_OF: dict[type, str] = {
    Hello: "hello",
    Generate: "generate",
    FileBegins: "file",
    Chunk: "chunk",
    Received: "received",
    Shutdown: "shutdown",
    Progress: "progress",
    Warned: "warning",
    Finished: "finished",
    JobCancelled: "cancelled",
    Failed: "failed",
}
_TYPE_OF = {name: kind for kind, name in _NAME_OF.items()}
_HINTS_OF = {kind: get_type_hints(kind) for kind in _NAME_OF}


def encode(message: Message) -> str:
    """One line of ASCII JSON, without its line feed. Raises PianoHandsError('bad-message') like `decode`."""
    kind = type(message)
    values = {field.name: getattr(message, field.name) for field in fields(kind)}
    _check(kind, {name: _lists(value) for name, value in values.items()})
    return json.dumps({"type": _NAME_OF[kind]} | values, allow_nan=False)


def decode(line: str | bytes) -> Message:
    """Read one line. Raises PianoHandsError('bad-message'), or ('wrong-protocol') for a hello of another version."""
    try:
        values = json.loads(line, parse_constant=_refuse_constant)
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        raise _bad(f"{_shown(line)} is no JSON line") from error
    except RecursionError as error:
        raise _bad(f"{_shown(line)} is nested too deeply") from error
    if not isinstance(values, dict):
        raise _bad(f"{_shown(line)} is no JSON object")
    name = values.pop("type", None)
    kind = _TYPE_OF.get(name) if isinstance(name, str) else None
    if kind is None:
        raise _bad(f"unknown message type {name!r}")
    if kind is Hello:
        _check_protocol(values.get("protocol"))
    _check(kind, values)
    fitting: dict[str, Any] = {key: _tuples(value) for key, value in values.items()}
    return kind(**fitting)


def _check_protocol(protocol: object) -> None:
    # Before the keys are looked at: another version may have other keys.
    if protocol != PROTOCOL:
        raise PianoHandsError(
            "wrong-protocol",
            f"The backend speaks version {protocol!r} of the protocol, the add-on version {PROTOCOL}.",
            "Install the extension again, and let the preferences name a Python for the same version.",
        )


def _check(kind: type, values: dict[str, Any]) -> None:
    hints, name = _HINTS_OF[kind], _NAME_OF[kind]
    for key in values:
        if key not in hints:
            raise _bad(f"{name} has an unknown key {key!r}")
    for field in fields(kind):
        if field.name not in values:
            if field.default is MISSING:
                raise _bad(f"{name} lacks the key {field.name!r}")
        elif not _fits(values[field.name], hints[field.name]):
            raise _bad(f"{name} has a wrong value for {field.name!r}: {_shown(repr(values[field.name]))}")
    job = values.get("job")
    if isinstance(job, str) and not _JOB_NAME.fullmatch(job):  # it becomes part of a file name
        raise _bad(f"{name} has a wrong value for 'job': {_shown(repr(job))}")


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is types.UnionType:
        return any(_fits(value, choice) for choice in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if not isinstance(value, list):
            return False
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        return len(value) == len(kinds) and all(_fits(item, kind) for item, kind in zip(value, kinds, strict=True))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _bad(what: str) -> PianoHandsError:
    return PianoHandsError("bad-message", f"Not understood: {what}.", "Install the extension again; its parts do not fit together.")


def _shown(text: str | bytes) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    plain = plain.strip()
    return plain if len(plain) <= 80 else f"{plain[:77]}..."
