# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's id, its folder for files, and its preferences: a Python with torch, for those who have one."""

from pathlib import Path

import bpy


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


class S2C_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = extension_id() or "piano_hands"

    python: bpy.props.StringProperty(
        name="Python",
        description="Program of a Python environment with torch, transformers and safetensors, for S2C. Empty: Blender's own",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        from .ui.prior import draw_state  # which reads this file

        layout = self.layout
        layout.prop(self, "python")
        if self.python:
            draw_state(layout, context, width=context.region.width)
        else:
            layout.label(text="Leave it empty to turn MIDI files into takes: nothing else is needed.", icon="INFO")


def chosen_python(context: bpy.types.Context) -> Path | None:
    """The Python named in the preferences; None for Blender's own."""
    addon = context.preferences.addons.get(extension_id()) if extension_id() else None
    if addon is None or not addon.preferences or not addon.preferences.python:
        return None
    return Path(bpy.path.abspath(addon.preferences.python))
