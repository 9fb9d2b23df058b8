# SPDX-License-Identifier: GPL-3.0-or-later
"""When something went wrong: the facts to send along, and the backend's log."""

import platform
from pathlib import Path

import bpy

from ..jobs import process, pump


class S2C_OT_copy_report(bpy.types.Operator):
    """Copy what happened, with versions and the end of the log, to send it to someone who can help"""

    bl_idname = "s2c.copy_report"
    bl_label = "Copy Report"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = report_text()
        self.report({"INFO"}, "Report copied")
        return {"FINISHED"}


class S2C_OT_open_log(bpy.types.Operator):
    """Open the log of the backend"""

    bl_idname = "s2c.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.session() is None:
            cls.poll_message_set("Nothing has run yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.wm.path_open(filepath=str(pump.session() / process.LOG))
        return {"FINISHED"}


def report_text() -> str:
    """Versions, the last job and how it ended, the end of the log; the home folder's name is left out."""
    lines = [
        "Piano Hands report",
        f"Blender {bpy.app.version_string}, Python {platform.python_version()}, {platform.platform()}",
    ]
    job = pump.current()
    if job is not None:
        lines += [str(job.request), f"{job.phase.value} at {job.stage or 'the start'}, {job.fraction:.0%}"]
        lines += [f"warning {warning.code}: {warning}" for warning in job.warnings]
        lines += [f"note: {remark}" for remark in job.remarks]
        if job.error is not None:
            lines.append(f"error {job.error.code}: {job.error}")
    lines += ["Log:", (job.log_tail if job else "") or pump.log_tail() or "(empty)"]
    return "\n".join(lines).replace(str(Path.home()), "~")
