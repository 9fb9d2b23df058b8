# SPDX-License-Identifier: GPL-3.0-or-later
"""Files from outside: MIDI or a recording becomes the chosen piece, also by dropping it; a saved take comes into the scene."""

from pathlib import Path

import bpy

from ..jobs import pump
from ..properties import settings_of
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.kind import MIDI_SUFFIXES, SOUND_SUFFIXES
from .generate import put_into_scene

_PIECES = sorted(MIDI_SUFFIXES | SOUND_SUFFIXES)


class S2C_OT_choose_piece(bpy.types.Operator):
    """Choose the MIDI file or the recording to be played"""

    bl_idname = "s2c.choose_piece"
    bl_label = "Choose Piece"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=";".join(f"*{suffix}" for suffix in _PIECES), options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings_of(context.scene).piece = self.filepath
        return {"FINISHED"}


class S2C_FH_piece(bpy.types.FileHandler):
    bl_idname = "S2C_FH_piece"
    bl_label = "Piano Hands Piece"
    bl_import_operator = "s2c.choose_piece"
    bl_file_extensions = ";".join(_PIECES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


class FromFile:
    """What brings a file into the scene: an operator that asks for its name, when no take is being made."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made")
            return False
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class S2C_OT_open_take(FromFile, bpy.types.Operator):
    """Put a take that was made before into this scene"""

    bl_idname = "s2c.open_take"
    bl_label = "Open Take"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            clip = Clip.load(path)
            put_into_scene(context.scene, clip, path, sound_beside(clip, path))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def sound_beside(clip: Clip, path: Path) -> Path | None:
    """The take's sound where it lies beside it: the recording itself, else of the take's name, else of its piece's."""
    source = Path(str(clip.made.get("input", ""))).name
    names = [path.with_suffix(".wav").name, Path(source).with_suffix(".wav").name if source else ""]
    if clip.made.get("prior") == "s2c" and Path(source).suffix.lower() not in MIDI_SUFFIXES:
        names.insert(0, source)
    names.insert(0, Path(str(clip.made.get("recording", ""))).name)
    return next((path.with_name(name) for name in names if name and path.with_name(name).is_file()), None)
