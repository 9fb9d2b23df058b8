# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels for a take that is there: move, trim and retime it; write it for other programs."""

import bpy

from ..jobs import pump
from ..properties import settings_of

_FORMATS = ("FBX", "glTF", "BVH", "USD", "Alembic")
_DATA = (("JSON", "PianoMotion"), ("MANO", "MANO"), ("SMPLX", "SMPL-X"))


class S2CTakePanel:
    """A closed part of the tab, where there is a take."""

    bl_parent_id = "S2C_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Piano Hands"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return "s2c_take" in context.scene


class S2C_PT_edit(S2CTakePanel, bpy.types.Panel):
    bl_idname = "S2C_PT_edit"
    bl_label = "Edit Take"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = not pump.busy()
        scene = context.scene
        layout.operator("s2c.move_take", icon="NEXT_KEYFRAME")
        words = "Trim to Preview Range" if scene.use_preview_range else "Cut Off What Is Before"
        layout.operator("s2c.trim_take", text=words, icon="TRACKING_CLEAR_BACKWARDS")
        row = layout.row(align=True)
        row.prop(settings_of(scene), "speed")
        row.operator("s2c.retime_take", icon="MOD_TIME")


class S2C_PT_export(S2CTakePanel, bpy.types.Panel):
    bl_idname = "S2C_PT_export"
    bl_label = "Out of Blender"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        grid = layout.grid_flow(columns=3, even_columns=True, align=True)
        for kind in _FORMATS:
            grid.operator("s2c.export_take", text=kind).kind = kind
        layout.prop(settings_of(context.scene), "export_piano")
        layout.label(text="Motion data")
        row = layout.row(align=True)
        for kind, name in _DATA:
            row.operator("s2c.export_motion", text=name).kind = kind
