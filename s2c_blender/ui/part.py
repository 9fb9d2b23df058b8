# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel in which some bars of a take are made anew."""

import bpy

from ..jobs import pump
from ..properties import settings_of
from .take import S2CTakePanel


class S2C_PT_part(S2CTakePanel, bpy.types.Panel):
    bl_idname = "S2C_PT_part"
    bl_label = "Some Bars Anew"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        layout.enabled = not pump.busy()
        layout.row().prop(settings, "part_by", expand=True)
        row = layout.row(align=True)
        for name in ("part_first", "part_last") if settings.part_by == "BARS" else ("part_begin", "part_end"):
            row.prop(settings, name)
        layout.prop(settings, "part_seed")
        layout.operator("s2c.make_anew", icon="FILE_REFRESH")
