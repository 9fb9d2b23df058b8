# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of fingers: the notes in view with hand and finger, both to be changed, and the button that solves what was changed."""

import bpy
import numpy as np

from ..jobs import pump
from ..ops.note_list import is_changed
from ..properties import settings_of
from ..scene.timing import frame_at, rate
from ..wire.notes import pitch_name
from .take import S2CTakePanel
from .text import wrapped

BEFORE, AFTER = 2.0, 6.0  # seconds around the current frame that are in view


class S2C_UL_notes(bpy.types.UIList):
    bl_idname = "S2C_UL_notes"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: object,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: object,
        active_property: str,
    ) -> None:
        row = layout.row(align=True)
        row.alert = is_changed(item)
        row.label(text=f"{item.onset:.2f} s   {pitch_name(item.pitch)}", icon="PINNED" if item.fixed else "BLANK1", translate=False)
        choice = row.row(align=True)
        choice.scale_x = 0.55
        choice.prop(item, "hand", text="")
        choice.prop(item, "finger", text="")

    def filter_items(self, context: bpy.types.Context, data: object, name: str) -> tuple[list[int], list[int]]:
        shown = notes_in_view(context.scene)
        return np.where(shown, self.bitflag_filter_item, 0).tolist(), []


class S2C_PT_fingers(S2CTakePanel, bpy.types.Panel):
    bl_idname = "S2C_PT_fingers"
    bl_label = "Fingers"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = settings_of(context.scene)
        layout.enabled = not pump.busy()
        if not settings.notes:
            wrapped(layout, "This take's notes are not listed, or it has none.", width=context.region.width, icon="INFO")
            layout.operator("s2c.list_notes", icon="FILE_REFRESH")
            return
        layout.prop(settings, "notes_near")
        layout.template_list("S2C_UL_notes", "", settings, "notes", settings, "note", rows=8)
        changed = sum(is_changed(note) for note in settings.notes)
        row = layout.row(align=True)
        row.scale_y = 1.3
        row.operator("s2c.solve_fingers", text=f"Solve {changed} Changed" if changed else "Solve Changed Notes", icon="CHECKMARK")
        row.operator("s2c.forget_fingers", text="", icon="LOOP_BACK")
        layout.operator("s2c.finger_numbers", icon="FONT_DATA")
        layout.prop(settings, "keep_fingers")


def notes_in_view(scene: bpy.types.Scene) -> np.ndarray:
    """(N,) whether each listed note is near the current frame, or in the preview range; all where that was chosen."""
    settings = settings_of(scene)
    onset = np.empty(len(settings.notes), dtype=np.float32)
    settings.notes.foreach_get("onset", onset)
    if not settings.notes_near or "s2c_start_frame" not in scene:
        return np.ones(len(onset), dtype=bool)
    frames = frame_at(scene, 0.0) + onset * rate(scene)
    if scene.use_preview_range:
        return (frames >= scene.frame_preview_start) & (frames <= scene.frame_preview_end)
    away = (frames - scene.frame_current) / rate(scene)
    return (away >= -BEFORE) & (away <= AFTER)
