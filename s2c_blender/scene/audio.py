# SPDX-License-Identifier: GPL-3.0-or-later
"""The sound on the timeline: one strip in the sequencer, in step with the take."""

import math
from pathlib import Path

import bpy

from .marks import mark
from .timing import rate

_STRIP = "s2c_strip"  # scene property: name of the take's strip
CHANNEL = 1


def add_sound(scene: bpy.types.Scene, path: Path, *, frame: float) -> bpy.types.Strip:
    """Put the file on the sequencer so that its beginning is heard at `frame`; the strip takes the place of an earlier one.

    Playback follows the sound and scrubbing is heard.
    """
    remove_sound(scene)
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strip = place_sound(scene, path, frame=frame, channel=_free_channel(editor))
    mark(strip.sound)
    strip.show_waveform = True
    scene[_STRIP] = strip.name
    scene.sync_mode = "AUDIO_SYNC"
    scene.use_audio_scrub = True
    return strip


def place_sound(scene: bpy.types.Scene, path: Path, *, frame: float, channel: int = CHANNEL) -> bpy.types.Strip:
    """A new strip that is heard from `frame` on. Strips start at whole frames; the rest is the sound's own offset."""
    whole = math.floor(frame + 1e-6)
    strip = scene.sequence_editor.strips.new_sound(path.stem, _sane(path), channel, whole)
    rest = (frame - whole) / rate(scene)
    if rest > 1e-6:
        strip.sound_offset = rest
    return strip


def sound_strip(scene: bpy.types.Scene) -> bpy.types.Strip | None:
    """The take's strip, if it is there."""
    name = scene.get(_STRIP)
    return scene.sequence_editor.strips.get(name) if name and scene.sequence_editor else None


def remove_sound(scene: bpy.types.Scene) -> None:
    strip = sound_strip(scene)
    if strip is not None:
        sound = strip.sound
        scene.sequence_editor.strips.remove(strip)
        if sound is not None and sound.users == 0:
            bpy.data.sounds.remove(sound)
    scene.pop(_STRIP, None)


def _free_channel(editor: bpy.types.SequenceEditor) -> int:
    """Channel 1, or where the person has strips there already, the next one without any."""
    taken = {strip.channel for strip in editor.strips}
    return next(channel for channel in range(CHANNEL, len(taken) + 2) if channel not in taken)


def _sane(path: Path) -> str:
    """Relative to the saved file where the sound lies beside or below it, so that both can move together; else absolute."""
    path = path.resolve()
    folder = Path(bpy.data.filepath).resolve().parent if bpy.data.filepath else None
    if folder is not None and path.is_relative_to(folder):
        return "//" + path.relative_to(folder).as_posix()
    return str(path)
