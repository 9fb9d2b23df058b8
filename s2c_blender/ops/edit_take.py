# SPDX-License-Identifier: GPL-3.0-or-later
"""Move, trim and retime the take, each in one undo step: the changed take goes into a file of its own."""

from collections.abc import Callable
from pathlib import Path

import bpy

from ..jobs import pump
from ..motion.edit_clip import retimed
from ..properties import settings_of
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from .fingers import has_take
from .generate import own_map
from .note_list import list_notes
from .old_takes import remember
from .take_file import next_name, take_path


class S2CEdit:
    """What the three have in common."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made")
            return False
        return has_take(cls, context)

    def take_in(self, scene: bpy.types.Scene, clip: Clip, path: Path, change: Callable[[Clip], Clip]) -> None:
        """Save the changed clip, and show it. Raises PianoHandsError('write-failed').

        change: what was done to the clip, to be done as well to that of our own hands while a character plays.
        """
        from ..scene import play_on

        clip.save(remember(path))
        play_on.adopt(scene, path)
        own = play_on.own_take(scene)
        if own is not None and own.is_file():
            target = next_name(own)
            change(Clip.load(own)).save(remember(target))
            play_on.adopt_own(scene, target)
        self.lay_again(scene, clip, path)
        list_notes(scene, clip)

    def lay_again(self, scene: bpy.types.Scene, clip: Clip, path: Path) -> None:
        """Where a character's body moves by an action of its own, its arms have to follow it anew."""
        from ..scene import play_on

        settings = settings_of(scene)
        play_on.bake_again(
            scene,
            clip,
            path,
            own_map=own_map(scene, clip.skeleton),
            seated=settings.character_seated,
            error=settings.character_error / 1000,
        )


class S2C_OT_move_take(S2CEdit, bpy.types.Operator):
    """Move the take on the timeline, with its sound and the markers within it: the music begins at the current frame"""

    bl_idname = "s2c.move_take"
    bl_label = "Move to Current Frame"

    frames: bpy.props.IntProperty(
        name="Frames", description="How many frames later. 0: so that the music begins at the current frame", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene import edit_take

        scene = context.scene
        edit_take.move(scene, self.frames or round(scene.frame_current - scene["s2c_start_frame"]))
        try:
            path = take_path(scene)
            self.lay_again(scene, Clip.load(path), path)
        except PianoHandsError as error:
            self.report({"WARNING"}, str(error))
        return {"FINISHED"}


class S2C_OT_trim_take(S2CEdit, bpy.types.Operator):
    """Keep of the take what lies in the preview range, or without one between the current frame and the scene's end"""

    bl_idname = "s2c.trim_take"
    bl_label = "Trim"

    first: bpy.props.IntProperty(name="First Frame", options={"SKIP_SAVE"})
    last: bpy.props.IntProperty(name="Last Frame", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene import edit_take

        scene = context.scene
        first, last = self.first, self.last
        if not (self.properties.is_property_set("first") and self.properties.is_property_set("last")):
            preview = scene.use_preview_range
            first = scene.frame_preview_start if preview else scene.frame_current
            last = scene.frame_preview_end if preview else scene.frame_end
        try:
            path = take_path(scene)
            kept = edit_take.trim(scene, Clip.load(path), first, last)
            self.take_in(scene, kept, next_name(path), lambda own: edit_take.trimmed(scene, own, first, last))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class S2C_OT_retime_take(S2CEdit, bpy.types.Operator):
    """Play the take faster or slower, with its sound, which keeps its pitch, and the markers within it"""

    bl_idname = "s2c.retime_take"
    bl_label = "Retime"

    speed: bpy.props.FloatProperty(
        name="Speed", description="In percent of what it is now. 0: as in the panel", min=0.0, options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..scene import edit_take

        scene = context.scene
        speed = (self.speed or settings_of(scene).speed) / 100.0
        try:
            path = take_path(scene)
            target = next_name(path)
            changed = edit_take.retime(scene, Clip.load(path), speed, remember(target.with_suffix(".wav")))
            self.take_in(scene, changed, target, lambda own: retimed(own, 1.0 / speed))
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}
