# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel about the prior: the choice where the backend has one, else what is missing for it."""

import os

import bpy

from ..jobs import pump
from ..preferences import check_online, chosen_backend, extension_id, setup_command_here, user_folder
from ..properties import settings_of
from ..wire.errors import PianoHandsError
from ..wire.messages import Hello
from ..wire.places import shipped_weights
from .advice import deaf, is_sound, lacking, mismatch
from .text import wrapped


def missing(context: bpy.types.Context) -> str | None:
    """What is missing for S2C, in one sentence; asks the backend of the preferences when nobody has yet."""
    python = chosen_backend(context)
    try:
        check_online(python)
    except PianoHandsError as error:
        return str(error)
    if python is not None:
        pump.ask_soon(python, sessions=lambda: user_folder("sessions"))
    return lacking(pump.answer(python), python)


def has_checkpoint(context: bpy.types.Context) -> bool:
    """Whether the backend has a checkpoint that need not be named: setup's, or the small one that ships."""
    return _has_made_checkpoint(context) or shipped_weights() is not None


def _has_made_checkpoint(context: bpy.types.Context) -> bool:
    answer = pump.answer(chosen_backend(context))
    return isinstance(answer, Hello) and answer.checkpoint


def draw_recording(layout: bpy.types.UILayout, context: bpy.types.Context, *, width: int) -> None:
    """For notes, the field for a recording of them; for a recording, what is missing to hear its notes."""
    settings = settings_of(context.scene)
    if not settings.piece:
        return
    if not is_sound(settings.piece):
        layout.prop(settings, "recording", text="", placeholder="Recording of it (optional)", icon="SOUND")
        return
    python = chosen_backend(context)
    if settings.prior == "s2c" and (settings.raw or missing(context) is not None):
        return  # it hears no notes, or more than that is missing
    if python is not None:
        pump.ask_soon(python, sessions=lambda: user_folder("sessions"))
    wanting = deaf(pump.answer(python), python)
    if wanting is not None:
        draw_missing(layout, wanting, context, width=width)
        return
    layout.prop(settings, "draft")


def draw_prior(layout: bpy.types.UILayout, context: bpy.types.Context, *, width: int) -> None:
    """The choice and S2C's own fields. Where S2C cannot be had, nothing; but a scene that asks for it says why and lets go."""
    settings = settings_of(context.scene)
    wanting = missing(context)
    listens = bool(settings.checkpoint) or _has_made_checkpoint(context) or shipped_weights() is None
    wrong = mismatch(settings.piece, settings.prior, settings.recording, listens=listens)
    if wanting is None or settings.prior == "s2c":
        layout.row().prop(settings, "prior", expand=True)
    if settings.prior == "s2c" and wanting is None:
        column = layout.column(align=True)
        words = "Checkpoint of setup" if _has_made_checkpoint(context) else "Small one that reads notes"
        words = words if has_checkpoint(context) else "Checkpoint folder"
        column.prop(settings, "checkpoint", text="", placeholder=words, icon="FILE_FOLDER")
        column.prop(settings, "mano", text="", placeholder="MANO (optional)", icon="FILE")
        column.prop(settings, "steps")
        slider = column.row(align=True)
        slider.enabled = not settings.raw
        slider.prop(settings, "on_keys", slider=True)
        column.prop(settings, "raw")
    if wrong is not None:
        wrapped(layout, wrong, width=width, icon="ERROR")
    if wanting is not None and (settings.prior == "s2c" or wrong is not None):
        draw_missing(layout, wanting, context, width=width)


def draw_hint(layout: bpy.types.UILayout, context: bpy.types.Context, *, width: int) -> None:
    """What S2C would need, where `draw_prior` had no reason to say it."""
    settings = settings_of(context.scene)
    wanting = missing(context)
    if wanting is not None and settings.prior == "planner" and not is_sound(settings.piece):
        draw_missing(layout, wanting, context, width=width)


def draw_backend(
    layout: bpy.types.UILayout, preferences: bpy.types.AddonPreferences, context: bpy.types.Context, *, width: int
) -> None:
    """Which backend is to be started, what it can do, and how to get one that can do more."""
    layout.prop(preferences, "python")
    layout.prop(preferences, "command")
    if chosen_backend(context) is not None:
        draw_state(layout, context, width=width)
        return
    layout.label(text="Leave both empty to turn MIDI files into takes: nothing else is needed.", icon="INFO")
    shell = "PowerShell" if os.name == "nt" else "a terminal"
    layout.label(text=f"For recordings, run this in {shell}, then look again:")
    wrapped(layout, setup_command_here(), width=width, icon="CONSOLE")
    row = layout.row()
    row.operator("s2c.copy_setup", icon="COPYDOWN")
    row.operator("s2c.look_at_python", icon="FILE_REFRESH")


def draw_state(layout: bpy.types.UILayout, context: bpy.types.Context, *, width: int) -> None:
    """Whether S2C can be used, and on what."""
    wanting = missing(context)
    if wanting is not None:
        draw_missing(layout, wanting, context, width=width)
        return
    answer = pump.answer(chosen_backend(context))
    devices = ", ".join(answer.devices) if isinstance(answer, Hello) else ""
    layout.label(text=f"S2C can be used, on {devices}", icon="CHECKMARK", translate=False)


def draw_missing(layout: bpy.types.UILayout, wanting: str, context: bpy.types.Context, *, width: int) -> None:
    """The sentence, and the button that helps."""
    wrapped(layout, wanting, width=width, icon="INFO")
    if chosen_backend(context) is not None:
        layout.operator("s2c.look_at_python", icon="FILE_REFRESH")
    elif extension_id():
        layout.operator("s2c.copy_setup", icon="COPYDOWN")
        layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES").module = extension_id()
