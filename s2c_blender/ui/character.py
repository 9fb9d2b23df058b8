# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's part for a person's own character: which armature, what was found in it, and the button that bakes."""

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..jobs import pump
from ..motion.bone_map import BoneMap, BoneNote
from ..properties import settings_of
from ..wire.errors import PianoHandsError
from .panel import TAB
from .text import wrapped

NOTES_SHOWN = 6


@dataclass(frozen=True)
class Found:
    """What is known of an armature: its map or why there is none, and what is odd about it."""

    bone_map: BoneMap | None
    notes: tuple[BoneNote, ...] = ()
    error: PianoHandsError | None = None


_known: tuple[object, Found] | None = None  # the last one looked at: drawing must be quick


class S2C_PT_character(bpy.types.Panel):
    bl_idname = "S2C_PT_character"
    bl_parent_id = "S2C_PT_main"
    bl_label = "Character"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings, width = self.layout, settings_of(context.scene), context.region.width
        column = layout.column()
        column.enabled = not pump.busy()
        column.prop(settings, "character", text="", icon="ARMATURE_DATA")
        if settings.character is None:
            wrapped(layout, "Choose the armature of your character: its own hands will play.", width=width, icon="INFO")
            return
        column.prop(settings, "character_map", text="", placeholder="Bone map: found by itself")
        _draw_found(layout, found(settings.character, settings.character_map), width=width)
        column = layout.column()
        column.enabled = not pump.busy()
        column.row().prop(settings, "character_way", expand=True)
        column.prop(settings, "character_seated")
        column.prop(settings, "character_error")
        row = column.row()
        row.scale_y = 1.3
        row.operator("s2c.bake_character", icon="POSE_HLT")
        row = column.row(align=True)
        row.operator("s2c.save_map", icon="FILE_TICK")
        row.operator("s2c.take_off_character", icon="X")


def found(armature: bpy.types.Object, map_file: str) -> Found:
    """The map and its problems, looked up anew only where armature or map are others."""
    global _known
    own = Path(bpy.path.abspath(map_file)) if map_file else None
    changed = own.stat().st_mtime if own is not None and own.is_file() else 0.0
    key = (armature.session_uid, armature.data.session_uid, len(armature.data.bones), map_file, changed)
    if _known is None or _known[0] != key:
        _known = key, _look(armature, own)
    return _known[1]


def _look(armature: bpy.types.Object, own: Path | None) -> Found:
    from ..scene.character import find_map, problems

    try:
        bone_map = find_map(armature, own)
        return Found(bone_map, tuple(problems(armature, bone_map)))
    except PianoHandsError as error:
        return Found(None, error=error)


def _draw_found(layout: bpy.types.UILayout, seen: Found, *, width: int) -> None:
    if seen.error is not None or seen.bone_map is None:
        wrapped(layout, str(seen.error), width=width, icon="ERROR")
        return
    wrapped(layout, f"{seen.bone_map.name}: {seen.bone_map.hand_bones()} bones of the hands", width=width, icon="CHECKMARK")
    for note in seen.notes[:NOTES_SHOWN]:
        wrapped(layout, str(note), width=width, icon="ERROR" if note.stops else "DOT")
    if len(seen.notes) > NOTES_SHOWN:
        layout.label(text=f"and {len(seen.notes) - NOTES_SHOWN} more", icon="BLANK1")
