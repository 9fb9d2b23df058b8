# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as hand motion data: PianoMotion10M's JSON and MANO .npz out and in, SMPL-X .npz out."""

from collections.abc import Callable
from pathlib import Path

import bpy

from ..motion.mano_files import load_motion, save_json, save_npz, save_smplx
from ..scene.timing import rate
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from .export_take import free_name
from .fingers import has_take
from .generate import put_into_scene
from .open_take import FromFile
from .take_file import current_clip

_SAVE: dict[str, tuple[Callable[[Clip, Path], None], str]] = {
    "JSON": (save_json, "_piano_motion.json"),
    "MANO": (save_npz, "_mano.npz"),
    "SMPLX": (save_smplx, "_smplx.npz"),
}


class S2C_OT_export_motion(bpy.types.Operator):
    """Write the take's hands as motion data, as its file has them: what was done to its curves by hand is not in it"""

    bl_idname = "s2c.export_motion"
    bl_label = "Export Motion Data"
    bl_options = {"REGISTER"}

    kind: bpy.props.EnumProperty(
        name="Format",
        items=(
            ("JSON", "PianoMotion10M", "The data set's JSON, 30 frames a second, MANO poses, the left hand mirrored"),
            ("MANO", "MANO", "The same numbers as .npz"),
            ("SMPLX", "SMPL-X", "AMASS's columns as .npz: hands and wrists of a body at rest"),
        ),
    )
    filepath: bpy.props.StringProperty(
        name="File",
        description="Where to. Empty: beside the take, under its name",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        save, ending = _SAVE[self.kind]
        try:
            path = Path(bpy.path.abspath(self.filepath)) if self.filepath else free_name(context.scene, ending)
            save(current_clip(context.scene), path)
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Written: {path}")
        return {"FINISHED"}


class S2C_OT_import_motion(FromFile, bpy.types.Operator):
    """Put hands from PianoMotion10M's JSON, or from a MANO .npz as it is written here, into this scene"""

    bl_idname = "s2c.import_motion"
    bl_label = "Import Motion Data"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.json;*.npz", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, source = context.scene, Path(bpy.path.abspath(self.filepath))
        try:
            clip = load_motion(source, fps=rate(scene))
            path = source.with_name(f"{source.stem}_take.npz")
            clip.save(path)
            sounds = (source.with_suffix(suffix) for suffix in (".mp3", ".wav"))
            put_into_scene(scene, clip, path, next((sound for sound in sounds if sound.is_file()), None))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}
