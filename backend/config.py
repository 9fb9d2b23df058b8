# SPDX-License-Identifier: GPL-3.0-or-later
"""What this backend is and can do, and the limits it keeps to. Never imports torch: it only looks whether it is there."""

import importlib.metadata
import importlib.util
import platform
import sys
import tomllib
from pathlib import Path

from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import PROTOCOL, Hello

ROOT = Path(__file__).resolve().parent.parent

SAMPLE_RATE = 44100  # of synthesised sound
WARN_SECONDS = 30 * 60.0  # of music from which a person is told beforehand how long it will take
WORK_PER_SECOND = 0.06  # seconds of work for one of music at 60 keys a second (0.045 measured over an hour of music, two cores)
MEMORY_BASE, MEMORY_PER_SECOND = 430.0, 0.075  # MB; 690 measured for an hour of music, two processes
# MB; 0.39 measured over an hour with a small model, to which the published one's condition adds 0.14.
S2C_MEMORY_BASE, S2C_MEMORY_PER_SECOND = 450.0, 0.55
CLIP_BYTES_PER_FRAME = 2 * 19 * 4 * 4  # rotations and translations of both hands, before compression
SOUND_BYTES_PER_SECOND = SAMPLE_RATE * 4
IDLE_SECONDS = 120.0  # without a job, after which a model's memory is given back

SMALLEST_SPAN, LARGEST_SPAN = 0.14, 0.30  # metres; grown-up hands measure 0.16 to 0.27
SMALLEST_OCTAVE, LARGEST_OCTAVE = 0.12, 0.20  # metres; narrow keyboards have 0.140 and 0.152
SLOWEST_FPS, FASTEST_FPS = 1.0, 240.0

FULL_LEVEL = ("torch", "transformers", "safetensors")  # what S2C imports
HEARING = ("torch", "transkun", "pretty_midi", "mir_eval")  # what finding notes in a recording imports
DRAFT_HEARING = ("onnxruntime", "basic_pitch")  # the same in a hurry
HEARING_WORK_PER_SECOND = 0.8  # seconds of work for one of sound on two cores
HEARING_MEMORY = 1500.0  # MB
DRAFT_WORK_PER_SECOND, DRAFT_MEMORY = 0.04, 200.0


def version() -> str:
    """The extension's version: from its manifest, or where pip installed the backend, from pip's."""
    manifest = ROOT / "blender_manifest.toml"
    if not manifest.exists():
        return importlib.metadata.version("piano-hands")
    with open(manifest, "rb") as file:
        return str(tomllib.load(file)["version"])


def missing_packages(needed: tuple[str, ...] = FULL_LEVEL) -> tuple[str, ...]:
    """What of `needed` this Python has not; nothing is imported to find out."""
    return tuple(name for name in needed if importlib.util.find_spec(name) is None)


def require(needed: tuple[str, ...] = FULL_LEVEL, what: str = "S2C needs") -> None:
    """Raises PianoHandsError('no-torch'). `what`: the beginning of the sentence, verb and all."""
    missing = missing_packages(needed)
    if missing:
        raise PianoHandsError(
            "no-torch",
            f"{what} {', '.join(missing)}, which this Python has not.",
            "Use a Python environment with the packages of the group 'full' in pyproject.toml (build.py test makes one); "
            "in Blender, name it in the preferences.",
        )


def hello() -> Hello:
    from .devices import devices

    missing = missing_packages()
    return Hello(
        protocol=PROTOCOL,
        version=version(),
        python=platform.python_version(),
        level="built-in" if missing else "full",
        devices=("cpu",) if missing else devices(),
        models=("planner",) if missing else ("planner", "s2c"),
        missing=missing,
        checkpoint=places.made_checkpoint(Path(sys.prefix).parent) is not None,
        missing_to_hear=missing_packages(HEARING),
    )


def own_checkpoint() -> Path | None:
    """For jobs that name none: the checkpoint that setup put beside this Python's environment, or the small one that ships."""
    return places.made_checkpoint(Path(sys.prefix).parent) or places.shipped_weights()


def reads_notes(checkpoint: str | None) -> bool:
    """Whether it is one of those that read notes instead of listening: they are single files, the others folders."""
    return checkpoint is not None and checkpoint.endswith(".safetensors") and Path(checkpoint).is_file()
