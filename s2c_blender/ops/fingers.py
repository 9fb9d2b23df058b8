# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingers of a take by hand: list its notes, wish for others, solve again around them only; and numbers over the keys."""

import uuid
from pathlib import Path

import bpy

from ..jobs import pump
from ..jobs.job import Job, Phase
from ..preferences import check_online, chosen_backend, user_folder
from ..properties import settings_of
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.messages import Generate
from . import generate
from .character import out_of_reach
from .note_list import is_changed, list_notes, side_word, wishes
from .old_takes import remember
from .take_file import current_clip, next_name, take_path


class S2C_OT_list_notes(bpy.types.Operator):
    """Read the notes of the take in this scene, and who plays them"""

    bl_idname = "s2c.list_notes"
    bl_label = "List Notes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            list_notes(context.scene, current_clip(context.scene))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class S2C_OT_solve_fingers(bpy.types.Operator):
    """Let the changed notes be played by the fingers in the list. Only around them is the motion worked out again"""

    bl_idname = "s2c.solve_fingers"
    bl_label = "Solve Changed Notes"
    bl_options = {"REGISTER"}  # the undo step is pushed when the take arrives

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made already")
            return False
        if not has_take(cls, context):
            return False
        if not any(is_changed(note) for note in settings_of(context.scene).notes):
            cls.poll_message_set("Change a finger or a hand in the list first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            path = take_path(scene)
            request = Generate(
                job=uuid.uuid4().hex,
                input=str(path),
                output=str(next_name(path)),
                fps=scene.render.fps / scene.render.fps_base,
                fixed=wishes(scene),
            )
            job, python = Job(request, scene_uid=scene.session_uid), chosen_backend(context)
            check_online(python)
            pump.begin(job, sessions=user_folder("sessions"), python=python, place=_place)
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.background:
            return {"FINISHED"}  # the timer goes on from here
        pump.run_to_end()
        if job.phase is Phase.DONE:
            return {"FINISHED"}
        if job.error is not None:
            self.report({"ERROR"}, str(job.error))
        return {"CANCELLED"}


class S2C_OT_forget_fingers(bpy.types.Operator):
    """Put the fingers that play back into the list"""

    bl_idname = "s2c.forget_fingers"
    bl_label = "Take Back Changes"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        for note in settings_of(context.scene).notes:
            if is_changed(note):
                note.hand, note.finger = side_word(note.played_hand), note.played_finger
        return {"FINISHED"}


class S2C_OT_finger_numbers(bpy.types.Operator):
    """Show over the keys which finger plays, or take the numbers away. They render, too"""

    bl_idname = "s2c.finger_numbers"
    bl_label = "Numbers Over the Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene import finger_numbers

        scene = context.scene
        if finger_numbers.shown(scene):
            finger_numbers.hide(scene)
            return {"FINISHED"}
        try:
            finger_numbers.show(scene, current_clip(scene))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def has_take(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if "s2c_take" not in context.scene:
        operator.poll_message_set("There is no take in this scene")
        return False
    return True


def _place(job: Job) -> bool:
    """Bring the changed frames into the scene as one undo step; False while the person is in the middle of something."""
    from ..scene.play_on import put_changes

    if generate.hands_full():
        return False
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == job.scene_uid), None)
    if scene is None or scene.get("s2c_take") != job.request.input:
        raise PianoHandsError("no-scene", f"The take is another one by now. The changed one is kept in {job.clip}.", "Open Take.")
    before, after = Clip.load(Path(job.request.input)), Clip.load(Path(job.request.output))
    short = put_changes(
        scene,
        before,
        after,
        Path(job.request.output),
        own_map=generate.own_map(scene, after.skeleton),
        error=settings_of(scene).character_error / 1000,
    )
    remember(Path(job.request.output))
    job.warnings += out_of_reach(after.score, short)
    list_notes(scene, after)
    if not bpy.app.background:
        generate.push_undo("Change Fingers")
    return True
