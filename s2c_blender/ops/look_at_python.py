# SPDX-License-Identifier: GPL-3.0-or-later
"""What can the Python in the preferences do? Asked again when something was installed there."""

import bpy

from ..jobs import pump
from ..preferences import check_online, chosen_backend, user_folder
from ..wire.errors import PianoHandsError


class S2C_OT_look_at_python(bpy.types.Operator):
    """Start the Python named in the preferences, or Blender's own, and see what it can do"""

    bl_idname = "s2c.look_at_python"
    bl_label = "Look Again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        python = chosen_backend(context)
        try:
            check_online(python)
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        pump.ask(python, sessions=user_folder("sessions"))
        if bpy.app.background:
            pump.run_to_end()
        answer = pump.answer(python)
        if isinstance(answer, PianoHandsError):
            self.report({"ERROR"}, str(answer))
            return {"CANCELLED"}
        return {"FINISHED"}
