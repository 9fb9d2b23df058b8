# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on the disk, asked for before work begins that would fill it."""

import shutil
from pathlib import Path

from s2c_blender.wire.errors import PianoHandsError


def check_space(
    folder: Path, needed: float, what: str, *, hint: str = "Free some space, choose another folder, or make less of it."
) -> None:
    """Raises PianoHandsError('no-space') where `folder` has fewer than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PianoHandsError("no-space", f"{folder} has {_words(free)} left, and {what} needs {_words(needed)}.", hint)


def _words(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
