# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of the take in a scene, and names for the next one: a change never writes over a file, so that undo finds it."""

from itertools import count
from pathlib import Path

import bpy

from ..wire.clip import Clip
from ..wire.errors import PianoHandsError

_BETWEEN = "~"  # between a take's name and the number of its version


def take_path(scene: bpy.types.Scene) -> Path:
    """Raises PianoHandsError('no-take') where the file is gone."""
    path = Path(bpy.path.abspath(str(scene["s2c_take"])))
    if not path.is_file():
        raise PianoHandsError("no-take", f"The take's file {path} is gone.", "Put it back there, or generate the take again.")
    return path


def current_clip(scene: bpy.types.Scene) -> Clip:
    """Raises PianoHandsError('no-take', 'bad-clip')."""
    return Clip.load(take_path(scene))


def next_name(path: Path) -> Path:
    """The first free name after it: take.npz, take~2.npz, take~3.npz ..."""
    stem, _, number = path.stem.rpartition(_BETWEEN)
    if not (stem and number.isdigit()):
        stem = path.stem
    names = (path.with_name(f"{stem}{_BETWEEN}{version}{path.suffix}") for version in count(2))
    return next(name for name in names if not name.exists())
