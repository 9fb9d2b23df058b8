# SPDX-License-Identifier: GPL-3.0-or-later
"""A take moved on the timeline, trimmed, or played at another speed: hands, a character, keys, pedal, camera, sound and markers.

F-curves are changed as they are, so that what the person did to them stays. A person's own actions stay where they are. Clips
that fit the scene are given to be saved: of a take and, where a character plays, of that of our own hands, too.
"""

import math
import wave
from operator import attrgetter
from pathlib import Path

import bpy
import numpy as np

from ..motion import edit_clip
from ..motion.stretch import stretched
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from . import audio
from .action_edit import cut, map_frames, take_curves
from .timing import START_FRAME, frame_at, rate


def move(scene: bpy.types.Scene, frames: int) -> None:
    """Everything of the take comes so many frames later; the scene's range goes along."""
    markers = _markers(scene)
    for curve in take_curves(scene):
        map_frames(curve, shift=frames)
    for marker in markers:
        marker.frame += frames
    _map_preview(scene, shift=frames)
    strip = audio.sound_strip(scene)
    if strip is not None:
        strip.frame_start += frames
    scene[START_FRAME] = scene[START_FRAME] + float(frames)
    if frames > 0:
        scene.frame_end += frames
        scene.frame_start += frames
    else:
        scene.frame_start += frames
        scene.frame_end += frames


def trim(scene: bpy.types.Scene, clip: Clip, first: int, last: int) -> Clip:
    """Keep what lies between two frames; returns the clip of it. Time zero stays where it is.

    Markers go with what is cut off; of those that switch cameras the last one before stays, at the first frame.
    Raises PianoHandsError('nothing-left').
    """
    result = trimmed(scene, clip, first, last)
    _trim_markers(scene, first, last)
    for curve in take_curves(scene):
        cut(curve, first, last)
    strip = audio.sound_strip(scene)
    if strip is not None:
        _trim_sound(scene, strip, first, last)
    scene.frame_start, scene.frame_end = first, last
    return result


def trimmed(scene: bpy.types.Scene, clip: Clip, first: int, last: int) -> Clip:
    """Of a clip that lies in the scene what is between two frames. Raises PianoHandsError('nothing-left')."""
    begin, end = ((frame - frame_at(scene, 0.0)) / rate(scene) for frame in (first, last))
    try:
        return edit_clip.trimmed(clip, begin, end)
    except ValueError as error:
        raise PianoHandsError("nothing-left", f"Of the take {error}.", "Choose a longer range of frames.") from error


def retime(scene: bpy.types.Scene, clip: Clip, speed: float, sound: Path | None) -> Clip:
    """Play the take `speed` times as fast; returns the clip of it. `sound`: where the stretched sound is written (.wav).

    The take begins at the frame where it begins now, and its time zero lies at a whole frame.
    """
    factor, zero = 1.0 / speed, float(scene[START_FRAME])
    new_zero = float(scene.frame_start + math.ceil((zero - scene.frame_start) * factor - 1e-6))
    markers = _markers(scene)
    shift = new_zero - factor * zero
    for curve in take_curves(scene):
        map_frames(curve, factor=factor, shift=shift)
    for marker in markers:
        marker.frame = round(factor * marker.frame + shift)
    _map_preview(scene, factor=factor, shift=shift)
    scene.frame_end = math.ceil(factor * scene.frame_end + shift - 1e-6)
    strip = audio.sound_strip(scene)
    if strip is not None and sound is not None:
        first, last = (factor * frame + shift for frame in (strip.frame_final_start, strip.frame_final_end))
        whole = strip.frame_offset_start == 0 and strip.frame_offset_end == 0
        _write_stretched(Path(bpy.path.abspath(strip.sound.filepath)), sound, factor)
        strip = audio.add_sound(scene, sound, frame=new_zero)
        if not whole:
            _trim_sound(scene, strip, round(first), round(last))
    scene[START_FRAME] = new_zero
    return edit_clip.retimed(clip, factor)


def _markers(scene: bpy.types.Scene) -> list[bpy.types.TimelineMarker]:
    """Those that stand within the take."""
    return [marker for marker in scene.timeline_markers if scene.frame_start <= marker.frame <= scene.frame_end]


def _trim_markers(scene: bpy.types.Scene, first: int, last: int) -> None:
    inside = _markers(scene)
    switches = [marker for marker in inside if marker.camera is not None and marker.frame < first]
    kept = max(switches, key=attrgetter("frame"), default=None)
    if kept is not None and not any(marker.camera is not None and marker.frame == first for marker in inside):
        kept.frame = first
    for marker in inside:
        if not first <= marker.frame <= last:
            scene.timeline_markers.remove(marker)


def _map_preview(scene: bpy.types.Scene, *, factor: float = 1.0, shift: float) -> None:
    if scene.use_preview_range:
        ends = (round(factor * frame + shift) for frame in (scene.frame_preview_start, scene.frame_preview_end))
        scene.frame_preview_start, scene.frame_preview_end = ends


def _trim_sound(scene: bpy.types.Scene, strip: bpy.types.Strip, first: int, last: int) -> None:
    if last <= strip.frame_final_start or first >= strip.frame_final_end:
        audio.remove_sound(scene)  # nothing of it is heard any more
        return
    if first > strip.frame_final_start:
        strip.frame_final_start = first
    if last < strip.frame_final_end:
        strip.frame_final_end = last


def _write_stretched(source: Path, target: Path, factor: float) -> None:
    """Raises PianoHandsError('no-sound', 'write-failed')."""
    import aud

    try:
        sound = aud.Sound.file(str(source))
        samples, sample_rate = sound.data(), int(sound.specs[0])
    except Exception as error:  # aud.error is no class of its own on every version
        raise PianoHandsError("no-sound", f"{source} cannot be read: {error}.", "Put the take's sound back there.") from error
    changed = stretched(np.asarray(samples, dtype=np.float32), factor, rate=sample_rate)
    values = (np.clip(changed, -1.0, 1.0) * 32767.0).astype("<i2")
    try:
        with wave.open(str(target), "wb") as file:
            file.setnchannels(values.shape[1])
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(values.tobytes())
    except OSError as error:
        raise PianoHandsError("write-failed", f"{target} could not be written: {error}.", "Choose another folder.") from error
