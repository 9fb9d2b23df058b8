# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything Blender is told about: one list of classes in dependency order, taken back in exact reverse."""

import bpy

from . import properties
from .jobs import pump
from .ops import (
    anew,
    copy_setup,
    edit_take,
    export_take,
    fingers,
    generate,
    look_at_python,
    motion_data,
    old_takes,
    open_take,
    report,
)
from .ops import character as bake
from .preferences import S2C_AP_preferences, extension_id
from .ui import character, panel, part, take
from .ui import fingers as fingers_panel

CLASSES: tuple[type, ...] = (
    S2C_AP_preferences,
    properties.S2C_PG_note,
    properties.S2C_PG_settings,
    generate.S2C_OT_generate,
    generate.S2C_OT_cancel,
    anew.S2C_OT_make_anew,
    open_take.S2C_OT_open_take,
    open_take.S2C_OT_choose_piece,
    open_take.S2C_FH_piece,
    look_at_python.S2C_OT_look_at_python,
    copy_setup.S2C_OT_copy_setup,
    bake.S2C_OT_bake_character,
    bake.S2C_OT_take_off_character,
    bake.S2C_OT_save_map,
    fingers.S2C_OT_list_notes,
    fingers.S2C_OT_solve_fingers,
    fingers.S2C_OT_forget_fingers,
    fingers.S2C_OT_finger_numbers,
    edit_take.S2C_OT_move_take,
    edit_take.S2C_OT_trim_take,
    edit_take.S2C_OT_retime_take,
    export_take.S2C_OT_export_take,
    motion_data.S2C_OT_export_motion,
    motion_data.S2C_OT_import_motion,
    report.S2C_OT_copy_report,
    report.S2C_OT_open_log,
    panel.S2C_PT_main,
    part.S2C_PT_part,
    panel.S2C_PT_settings,
    character.S2C_PT_character,
    fingers_panel.S2C_UL_notes,
    fingers_panel.S2C_PT_fingers,
    take.S2C_PT_edit,
    take.S2C_PT_export,
)


def register() -> None:
    for cls in classes():
        bpy.utils.register_class(cls)
    properties.attach()
    old_takes.watch()


def unregister() -> None:
    pump.stop()
    old_takes.leave()
    properties.detach()
    for cls in reversed(classes()):
        bpy.utils.unregister_class(cls)


def classes() -> tuple[type, ...]:
    """Preferences belong to an installed extension; imported from the repository there are none."""
    return CLASSES if extension_id() else CLASSES[1:]
