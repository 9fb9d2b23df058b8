# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that are made once and opened again by each test that wants them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from s2c_blender import registration
from s2c_blender.properties import settings_of

from . import midi_files


def generate(scene: bpy.types.Scene, folder: Path, *, notes: int) -> None:
    """A take of so many notes, 0.6 s apart, in that folder."""
    settings = settings_of(scene)
    settings.piece, settings.folder = str(midi_files.piece(folder / "piece.mid", notes=notes, seconds_apart=0.6)), str(folder)
    bpy.ops.s2c.generate()


def keep(path: Path, make: Callable[[bpy.types.Scene], None]) -> Path:
    """A .blend file with what `make` does to an empty scene, the add-on enabled."""
    registration.register()
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        make(bpy.context.scene)
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
    finally:
        registration.unregister()
    return path


@contextmanager
def opened(path: Path) -> Iterator[bpy.types.Scene]:
    """The scene of such a file, the add-on enabled. What is done to it is not saved."""
    registration.register()
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path))
        yield bpy.context.scene
    finally:
        registration.unregister()
