# SPDX-License-Identifier: GPL-3.0-or-later
"""The take on a person's own character: bake it, take it off, and keep the map of its bones as a file."""

import os
import re
import uuid
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import bpy

from ..jobs import process, pump
from ..jobs.job import Job
from ..motion.bone_map import BoneMap
from ..motion.fast_copy import copy_motion
from ..motion.map_files import save_map
from ..preferences import user_folder
from ..properties import settings_of
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.hands import HandSide
from ..wire.messages import Generate
from ..wire.notes import Score
from .generate import S2CJob, hands_full, push_undo
from .note_list import list_notes
from .take_file import current_clip

_PLAIN = re.compile(r"[^\w\-]+")
MOST_SPANS = 6  # of time out of reach that are named


class S2C_OT_bake_character(S2CJob, bpy.types.Operator):
    """Let the chosen character play the take: its own fingers are solved onto the keys, and its arms follow"""

    bl_idname = "s2c.bake_character"
    bl_label = "Bake on Character"
    bl_options = {"REGISTER"}  # the undo step is pushed when the character plays

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made")
            return False
        if settings_of(context.scene).character is None:
            cls.poll_message_set("Choose the character's armature first")
            return False
        if not context.scene.get("s2c_take"):
            cls.poll_message_set("Generate a take first, or open one")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the mode you are in")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene import play_on

        scene, settings = context.scene, settings_of(context.scene)
        try:
            armature, bone_map = character_of(scene)
            source = Path(bpy.path.abspath(str(scene["s2c_take"])))
            clip = Clip.load(source)
            with play_on.as_it_was(scene, armature):
                hands = play_on.prepare(scene, armature, bone_map, seated=settings.character_seated)
            output = _output(source, armature.name)
            if settings.character_way == "fast":
                copied = copy_motion(clip, hands.skeleton)
                copied.save(output)
                self._tell(_put_on(scene, armature, copied, output))
                if not bpy.app.background:
                    push_undo("Bake on Character")
                return {"FINISHED"}
            return self._solve(context, play_on.commission(clip, hands), output)
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def _solve(self, context: bpy.types.Context, commission: Clip, output: Path) -> set[str]:
        asked = process.new_session(user_folder("sessions")) / "take.npz"
        commission.save(asked)
        request = Generate(job=uuid.uuid4().hex, input=str(asked), output=str(output), fps=commission.fps)
        armature = settings_of(context.scene).character
        return self.work(context, request, place=partial(_place, armature.session_uid))

    def _tell(self, warnings: list[PianoHandsError]) -> None:
        for warning in warnings:
            self.report({"WARNING"}, str(warning))


class S2C_OT_take_off_character(bpy.types.Operator):
    """Take the take off the chosen character: what animated it before is active again"""

    bl_idname = "s2c.take_off_character"
    bl_label = "Take Off"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        armature = settings_of(context.scene).character
        return armature is not None and "s2c_take" in armature and not pump.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene import play_on

        scene = context.scene
        play_on.take_from(scene, settings_of(scene).character)
        with suppress(PianoHandsError):  # where the file is gone there is nothing to list
            list_notes(scene, current_clip(scene))
        return {"FINISHED"}


class S2C_OT_save_map(bpy.types.Operator):
    """Keep the map of this character's bones as a file: to mend it by hand, or to share it"""

    bl_idname = "s2c.save_map"
    bl_label = "Save Map"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return settings_of(context.scene).character is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = f"{_plain(settings_of(context.scene).character.name)}.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = settings_of(context.scene)
        try:
            armature, bone_map = character_of(context.scene)
            path = Path(bpy.path.abspath(self.filepath)).with_suffix(".json")
            save_map(path, replace(bone_map, name=armature.name))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        settings.character_map = str(path)
        return {"FINISHED"}


def character_of(scene: bpy.types.Scene) -> tuple[bpy.types.Object, BoneMap]:
    """The chosen armature and its map. Raises PianoHandsError('no-hands', 'bad-map')."""
    from ..scene.character import find_map

    settings = settings_of(scene)
    own = Path(bpy.path.abspath(settings.character_map)) if settings.character_map else None
    return settings.character, find_map(settings.character, own)


def _output(source: Path, name: str) -> Path:
    """Beside the take, under both names; in the extension's folder where nothing may be written there."""
    stem = source.stem if source.stem.endswith(f"-{_plain(name)}") else f"{source.stem}-{_plain(name)}"
    folder = source.parent if os.access(source.parent, os.W_OK) else user_folder("takes")
    return folder / f"{stem}.npz"


def when(score: Score, begin: float, end: float) -> str:
    """A span of seconds in bars, where the piece knows them."""
    seconds = f"{begin:.1f} s" if end - begin < 0.1 else f"{begin:.1f} to {end:.1f} s"
    if not score.bars:
        return seconds
    first, last = (max(bisect_right(score.bars, moment + 1e-6), 1) for moment in (begin, end))
    return f"{seconds} in bar{f' {first}' if first == last else f's {first} to {last}'}"


def _plain(name: str) -> str:
    return _PLAIN.sub("_", name).strip("_") or "character"


def _place(armature_uid: int, job: Job) -> bool:
    """Bake the solved take as one undo step; False while the person is in the middle of something."""
    if hands_full():
        return False
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == job.scene_uid), None)
    armature = next((ob for ob in bpy.data.objects if ob.session_uid == armature_uid), None)
    if scene is None or armature is None:
        raise PianoHandsError(
            "no-scene", f"The character is gone. Its take is kept in {job.clip}.", "Choose another one, and bake."
        )
    path = Path(job.request.output)
    clip = Clip.load(path)
    job.remarks = clip.fingering.remarks
    job.warnings += _put_on(scene, armature, clip, path)
    if not bpy.app.background:
        push_undo("Bake on Character")
    return True


def _put_on(scene: bpy.types.Scene, armature: bpy.types.Object, clip: Clip, path: Path) -> list[PianoHandsError]:
    """What the person should know, as warnings."""
    from ..scene import play_on

    settings = settings_of(scene)
    settings.character = armature
    _, bone_map = character_of(scene)
    hands = play_on.prepare(scene, armature, bone_map, seated=settings.character_seated)
    report = play_on.put_on(
        scene, armature, bone_map, hands, clip, path, seated=settings.character_seated, error=settings.character_error / 1000
    )
    list_notes(scene, clip)
    return out_of_reach(clip.score, report.short)


def out_of_reach(score: Score, short: Sequence[tuple[HandSide, float, float, float]]) -> list[PianoHandsError]:
    """A warning that says when arms are too short, and by how much (`BakeReport.short`)."""
    if not short:
        return []
    named = [f"{when(score, begin, end)} ({side.word}, {1000 * most:.0f} mm)" for side, begin, end, most in short]
    more = f" and {len(named) - MOST_SPANS} times more" if len(named) > MOST_SPANS else ""
    return [
        PianoHandsError(
            "out-of-reach",
            f"Arms are too short at {', '.join(named[:MOST_SPANS])}{more}.",
            "Move the character nearer, or scale it.",
        )
    ]
