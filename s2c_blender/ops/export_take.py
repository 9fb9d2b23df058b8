# SPDX-License-Identifier: GPL-3.0-or-later
"""The take out of Blender, in one click: beside its own file, under its name, in the format of the button."""

from pathlib import Path

import bpy

from ..properties import settings_of
from ..wire.errors import PianoHandsError
from .fingers import has_take
from .take_file import next_name, take_path


class S2C_OT_export_take(bpy.types.Operator):
    """Write the hands, or the selected characters, for other programs, with settings that keep fingertips in place"""

    bl_idname = "s2c.export_take"
    bl_label = "Export Take"
    bl_options = {"REGISTER"}

    kind: bpy.props.EnumProperty(
        name="Format",
        items=(
            ("FBX", "FBX", "Skeleton, skin and motion, a key for every pose: for Unreal, Unity, Maya, MotionBuilder"),
            ("glTF", "glTF", "One .glb file with skeleton, skin and motion: for the web and game engines"),
            ("BVH", "BVH", "Skeleton and motion in centimetres, a file for each hand: for motion capture programs"),
            ("USD", "USD", "Skeleton, skin and motion: for Houdini, Omniverse, Maya"),
            ("Alembic", "Alembic", "The skin's shape at every frame, without a skeleton: for rendering elsewhere"),
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
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the mode first")
            return False
        return has_take(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene.export import SUFFIXES, export_take

        scene = context.scene
        try:
            path = Path(bpy.path.abspath(self.filepath)) if self.filepath else free_name(scene, SUFFIXES[self.kind])
            written = export_take(scene, path, kind=self.kind, piano=settings_of(scene).export_piano)
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Written: {', '.join(str(each) for each in written)}")
        return {"FINISHED"}


def free_name(scene: bpy.types.Scene, ending: str) -> Path:
    """A name beside the take, of its stem and `ending`, that nothing has yet. Raises PianoHandsError('no-take')."""
    take = take_path(scene)
    path = take.with_name(take.stem + ending)
    return next_name(path) if path.exists() else path
