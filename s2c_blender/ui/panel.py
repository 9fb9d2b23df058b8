# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab "Piano Hands" of the 3D view: choose a piece, generate, see how far it is and what went wrong."""

import bpy

from ..jobs import pump
from ..jobs.carrier import TRAVELS
from ..jobs.job import Job, Phase
from ..properties import settings_of
from .prior import draw_hint, draw_prior, draw_recording
from .text import duration, wrapped

TAB = "Piano Hands"
REMARKS_SHOWN = 3

_STAGE_WORDS = {
    "": "Starting",
    "reading": "Reading the piece",
    "fingering": "Choosing fingers",
    "planning": "Planning the hands",
    "solving": "Moving the fingers",
    "loading": "Loading the model",
    "listening": "Listening",
    "transcribing": "Hearing the notes",
    "aligning": "Finding the notes in the recording",
    "sampling": "Moving the hands",
    "sound": "Making the sound",
    "sending": "Sending the piece",
    "fetching": "Fetching the take",
    "saving": "Saving the take",
}


class S2C_PT_main(bpy.types.Panel):
    bl_idname = "S2C_PT_main"
    bl_label = "Piano Hands"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = settings_of(context.scene)
        job = pump.current()
        width = context.region.width

        row = layout.row(align=True)
        row.enabled = not pump.busy()
        row.prop(settings, "piece", text="", placeholder="MIDI file or recording", icon="FILE_SOUND")
        column = layout.column()
        column.enabled = not pump.busy()
        draw_recording(column, context, width=width)
        draw_prior(column, context, width=width)
        if job is not None and job.running:
            _draw_progress(layout, job)
        else:
            row = layout.row()
            row.scale_y = 1.5
            row.operator("s2c.generate", icon="PLAY")
        if job is not None:
            _draw_outcome(layout, job, context.scene, width=width)


class S2C_PT_settings(bpy.types.Panel):
    bl_idname = "S2C_PT_settings"
    bl_parent_id = "S2C_PT_main"
    bl_label = "Settings"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not pump.busy()
        settings = settings_of(context.scene)
        render = context.scene.render

        column = layout.column()
        column.prop(settings, "seed")
        if settings.prior == "planner":
            column.prop(settings, "style")
        column.prop(settings, "hand_size")
        column.prop(settings, "octave")
        column = layout.column(align=True)
        column.prop(render, "fps", text="Frame Rate")
        if render.fps_base != 1.0:
            column.prop(render, "fps_base", text="Base")
        row = layout.row(heading="Only the First")
        row.prop(settings, "limit", text="")
        seconds = row.row()
        seconds.enabled = settings.limit
        seconds.prop(settings, "seconds", text="")
        if settings.prior == "s2c":
            layout.prop(settings, "as_published")
        layout.prop(settings, "folder")
        row = layout.row(align=True)
        row.operator("s2c.open_take", icon="FILE_FOLDER")
        row.operator("s2c.import_motion", text="Import Motion", icon="IMPORT")
        draw_hint(layout, context, width=context.region.width)


def _draw_progress(layout: bpy.types.UILayout, job: Job) -> None:
    column = layout.column(align=True)
    if job.phase is Phase.READY:
        text = "Ready"
    elif job.phase is Phase.CANCELLING:
        text = "Cancelling"
    else:
        shown = job.stage_fraction if job.stage in TRAVELS else job.fraction
        text = f"{_STAGE_WORDS.get(job.stage, job.stage.capitalize())}  {shown:.0%}"
    row = column.row(align=True)
    row.scale_y = 1.5
    row.progress(factor=job.fraction, text=text)
    row.operator("s2c.cancel", text="", icon="X")
    remaining = job.remaining()
    if job.phase is Phase.READY:
        column.label(text="Leave the tool or mode to get it")
    elif job.phase is Phase.WORKING:
        column.label(text=f"{duration(remaining)} left" if remaining is not None else "Working; Blender stays usable")


def _draw_outcome(layout: bpy.types.UILayout, job: Job, scene: bpy.types.Scene, *, width: int) -> None:
    if job.phase is Phase.FAILED and job.error is not None:
        box = layout.box()
        alert = box.column()
        alert.alert = True
        wrapped(alert, job.error.message, width=width, icon="ERROR")
        if job.error.hint:
            wrapped(box, job.error.hint, width=width, icon="LIGHT")
        row = box.row(align=True)
        row.operator("s2c.copy_report", icon="COPYDOWN")
        row.operator("s2c.open_log", icon="TEXT")
    elif job.phase is Phase.CANCELLED:
        layout.label(text="Cancelled; the scene is as it was", icon="INFO")
    elif job.phase is Phase.DONE and job.clip is not None:
        here = scene.get("s2c_take") == str(job.clip)
        layout.label(
            text="Done: press Space to watch it" if here else "Undone: Open Take brings it back",
            icon="CHECKMARK" if here else "INFO",
        )
        wrapped(layout, f"Kept in {job.clip}", width=width, icon="BLANK1")
        _draw_remarks(layout, job, width=width)
        if not here:
            return
    for warning in job.warnings:
        wrapped(layout, str(warning), width=width, icon="INFO")


def _draw_remarks(layout: bpy.types.UILayout, job: Job, *, width: int) -> None:
    """What is not as written: the first few by name; all of them are in the report."""
    for remark in job.remarks[:REMARKS_SHOWN]:
        wrapped(layout, remark, width=width, icon="DOT")
    more = len(job.remarks) - REMARKS_SHOWN
    if more > 0:
        row = layout.row()
        row.label(text=f"and {more} more", icon="BLANK1")
        row.operator("s2c.copy_report", icon="COPYDOWN")
