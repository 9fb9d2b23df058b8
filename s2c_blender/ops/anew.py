# SPDX-License-Identifier: GPL-3.0-or-later
"""Some bars of the scene's take made anew, the rest kept: a job like Generate's, from a take to another."""

from pathlib import Path

import bpy

from ..jobs import pump
from ..properties import settings_of
from ..scene.audio import sound_strip
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.kind import is_recording
from .generate import S2CJob, request_for
from .take_file import next_name, take_path


class S2C_OT_make_anew(S2CJob, bpy.types.Operator):
    """Make these bars of the take anew, with another seed, style or motion, and keep all the rest as it is"""

    bl_idname = "s2c.make_anew"
    bl_label = "Make Anew"
    bl_options = {"REGISTER"}  # the undo step is pushed when the take arrives

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made already")
            return False
        if not context.scene.get("s2c_take"):
            cls.poll_message_set("There is no take in this scene yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            take = take_path(scene)
            begin, end = _between(scene, Clip.load(take))
            request = request_for(
                scene,
                take,
                output=next_name(take),
                recording=_recording(scene),
                seed=settings_of(scene).part_seed,
                begin=begin,
                end=end,
            )
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.work(context, request)


def _between(scene: bpy.types.Scene, clip: Clip) -> tuple[float, float]:
    settings = settings_of(scene)
    if settings.part_by == "BARS":
        return clip.score.between_bars(settings.part_first, settings.part_last)
    return settings.part_begin, settings.part_end


def _recording(scene: bpy.types.Scene) -> str | None:
    """What S2C listens to: the recording that was chosen, or the one that is heard."""
    settings = settings_of(scene)
    if settings.prior != "s2c":
        return None
    for name in (settings.recording, settings.piece):
        if name and is_recording(Path(bpy.path.abspath(name))):
            return bpy.path.abspath(name)
    strip = sound_strip(scene)
    return None if strip is None else bpy.path.abspath(strip.sound.filepath)
