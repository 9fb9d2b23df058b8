# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that makes the full level, for the person to run in a terminal: the add-on installs nothing."""

import bpy

from ..preferences import setup_command_here


class S2C_OT_copy_setup(bpy.types.Operator):
    """Copy the command that makes a Python environment with torch in the extension's own folder, to be run in a terminal"""

    bl_idname = "s2c.copy_setup"
    bl_label = "Copy Setup Command"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = setup_command_here()
        self.report({"INFO"}, "Copied: paste it into a terminal, and press Look Again when it has ended")
        return {"FINISHED"}
