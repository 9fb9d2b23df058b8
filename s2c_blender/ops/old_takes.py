# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of takes that edits left behind (take~2.npz, take~3.npz ...): those that nothing can want any more go when Blender closes.

While Blender runs undo may want each of them, so all stay. When it closes, only files go that were written since the file that
is open was opened, that no file saved meanwhile refers to, and that the scenes as they are left do not refer to: what Blender
can recover is the last. Files of earlier sessions always stay, for who knows which files refer to them.
"""

import atexit
from contextlib import suppress
from pathlib import Path

import bpy

_made: set[Path] = set()  # by edits, since the file was opened
_wanted: set[Path] = set()  # by files that were saved since, and at the end by the scenes as they are
_ON_OBJECTS = ("s2c_take", "s2c_before")


def remember(path: Path) -> Path:
    """An edit brings this file of its own into a scene; returns it."""
    _made.add(path.resolve())
    return path


def referred() -> set[Path]:
    """Every take and sound that what is open in Blender refers to, whether it can be seen or not."""
    names = [scene["s2c_take"] for scene in bpy.data.scenes if "s2c_take" in scene]
    names += [ob[name] for ob in bpy.data.objects for name in _ON_OBJECTS if name in ob]
    names += [sound.filepath for sound in bpy.data.sounds]
    return {Path(bpy.path.abspath(str(name))).resolve() for name in names if name}


def watch() -> None:
    """From now on look at what is saved and opened."""
    _forget()
    bpy.app.handlers.save_post.append(_saved)
    bpy.app.handlers.load_post.append(_opened)


def leave() -> None:
    """The add-on is switched off: because Blender closes, unless a timer shows that it goes on."""
    bpy.app.handlers.save_post.remove(_saved)
    bpy.app.handlers.load_post.remove(_opened)
    _wanted.update(referred())
    if not bpy.app.background:
        atexit.register(clean_up)
        bpy.app.timers.register(_forget)


def clean_up() -> None:
    """Delete what an edit wrote and nothing refers to."""
    for path in _made - _wanted:
        with suppress(OSError):  # it is gone, or may not be deleted
            path.unlink()
    _made.clear()


def _forget() -> None:
    """Nothing that was written so far is ever deleted."""
    atexit.unregister(clean_up)
    _made.clear()
    _wanted.clear()


def _saved(*_: object) -> None:
    _wanted.update(referred())


def _opened(*_: object) -> None:
    _forget()


for _handler in (_saved, _opened):
    bpy.app.handlers.persistent(_handler)  # Blender keeps them when another file is opened
