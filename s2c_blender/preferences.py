# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's id, its folder for files, and its preferences: which backend is to be started."""

import os
import sys
from pathlib import Path

import bpy

from .jobs import process
from .jobs.process import Remote, Target
from .ui.advice import setup_command
from .wire import places
from .wire.errors import PianoHandsError


def extension_id() -> str:
    """The extension's own id; empty while it is imported and not installed."""
    return __package__.rpartition(".")[0]


def user_folder(name: str) -> Path:
    """A folder of our own for files that outlive Blender; while not installed, in Blender's temporary folder."""
    if extension_id():
        return Path(bpy.utils.extension_path_user(extension_id(), path=name, create=True))
    folder = Path(bpy.app.tempdir) / "piano_hands" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def setup_folder() -> Path:
    """Where setup makes the full level; nothing is made by asking."""
    if extension_id():
        return Path(bpy.utils.extension_path_user(extension_id()))
    return Path(bpy.app.tempdir) / "piano_hands"


def setup_command_here() -> str:
    return setup_command(Path(sys.executable), process.ROOT, setup_folder(), windows=os.name == "nt")


class S2C_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = extension_id() or "piano_hands"

    python: bpy.props.StringProperty(
        name="Python",
        description="Program of a Python environment with torch, transformers and safetensors, for S2C. "
        "Empty: the one that setup made, or Blender's own",
        subtype="FILE_PATH",
    )
    command: bpy.props.StringProperty(
        name="Command",
        description="Command line that starts the backend on another machine, as: ssh box piano-hands serve. "
        "Files travel through it. Empty: this machine works",
    )

    def draw(self, context: bpy.types.Context) -> None:
        from .ui.prior import draw_backend  # which reads this file

        draw_backend(self.layout, self, context, width=context.region.width)


def chosen_backend(context: bpy.types.Context) -> Target:
    """What the preferences name: a command, a Python; else the Python that setup made. None for Blender's own."""
    addon = context.preferences.addons.get(extension_id()) if extension_id() else None
    if addon is None or not addon.preferences:
        return None
    if addon.preferences.command.strip():
        return Remote.parse(addon.preferences.command)
    if addon.preferences.python:
        return Path(bpy.path.abspath(addon.preferences.python))
    return places.made_python(setup_folder())


def check_online(target: Target) -> None:
    """Raises PianoHandsError('offline') where Blender is not to reach other machines, and this would."""
    if isinstance(target, Remote) and not bpy.app.online_access:
        raise PianoHandsError(
            "offline",
            "Blender is set to stay offline, and the command in the preferences is for another machine.",
            "Allow Online Access in Blender's preferences under System, or empty the command.",
        )
