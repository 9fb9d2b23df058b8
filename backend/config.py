# SPDX-License-Identifier: GPL-3.0-or-later
"""What this backend is and can do, and the limits it keeps to. Never imports torch: it only looks whether it is there."""

import importlib.util
import platform
import tomllib
from pathlib import Path

from s2c_blender.wire.messages import PROTOCOL, Hello

ROOT = Path(__file__).resolve().parent.parent

SAMPLE_RATE = 44100  # of synthesised sound
WARN_SECONDS = 30 * 60.0  # of music from which a person is told beforehand how long it will take
WORK_PER_SECOND = 0.09  # seconds of work for one of music at 60 keys a second (0.07 measured over an hour of music)
MEMORY_BASE, MEMORY_PER_SECOND = 180.0, 0.11  # MB; 540 measured for an hour of music
CLIP_BYTES_PER_FRAME = 2 * 19 * 4 * 4  # rotations and translations of both hands, before compression
SOUND_BYTES_PER_SECOND = SAMPLE_RATE * 4

SMALLEST_SPAN, LARGEST_SPAN = 0.14, 0.30  # metres; grown-up hands measure 0.16 to 0.27
SMALLEST_OCTAVE, LARGEST_OCTAVE = 0.12, 0.20  # metres; narrow keyboards have 0.140 and 0.152
SLOWEST_FPS, FASTEST_FPS = 1.0, 240.0


def version() -> str:
    """The extension's version, from its manifest."""
    with open(ROOT / "blender_manifest.toml", "rb") as file:
        return str(tomllib.load(file)["version"])


def hello() -> Hello:
    full = importlib.util.find_spec("torch") is not None
    return Hello(
        protocol=PROTOCOL,
        version=version(),
        python=platform.python_version(),
        level="full" if full else "built-in",
        devices=("cpu",),
        models=("planner",),
    )
