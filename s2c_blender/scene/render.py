# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview film and stills of a take, drawn by whatever the machine can; the person's render settings come back as they were."""

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import bpy

from ..wire.errors import PianoHandsError
from . import audio
from .timing import START_FRAME, frame_at, rate

Progress = Callable[[int, int], None]

_PROBE = """
import bpy, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
scene.collection.objects.link(scene.camera)
scene.render.engine = "BLENDER_WORKBENCH"
scene.render.resolution_x = scene.render.resolution_y = 16
scene.render.filepath = sys.argv[-1]
bpy.ops.render.render(write_still=True)
"""


class Engine(Enum):
    WORKBENCH = "BLENDER_WORKBENCH"
    CYCLES = "CYCLES"


@dataclass(frozen=True)
class Effort:
    """How much a picture may cost."""

    smooth: str  # Workbench's antialiasing: each of its samples costs as much as a whole picture
    samples: int  # of Cycles, denoised


_FILM, _STILL = Effort("FXAA", 3), Effort("8", 48)


@dataclass(frozen=True)
class Film:
    """A preview that was made."""

    path: Path
    engine: Engine
    frames: int
    fps: float


@cache
def best_engine() -> Engine:
    """Workbench where the machine can draw with it, else Cycles. Without a window a process of its own finds out: it may crash."""
    if not bpy.app.background:
        return Engine.WORKBENCH
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "probe.png"
        binary = bpy.app.binary_path
        start = (
            [binary, "-b", "--factory-startup", "--python-exit-code", "1", "--python-expr", _PROBE]
            if binary
            else [sys.executable, "-c", _PROBE]
        )
        try:
            ended = subprocess.run([*start, "--", str(image)], capture_output=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return Engine.CYCLES
        return Engine.WORKBENCH if ended.returncode == 0 and image.exists() else Engine.CYCLES


def render_preview(
    scene: bpy.types.Scene,
    path: Path,
    *,
    seconds: float = 30.0,
    size: tuple[int, int] = (640, 360),
    fps: float = 30.0,
    progress: Progress | None = None,
) -> Film:
    """Film the scene's camera from the first frame on, with the take's sound, into an .mp4.

    At a scene rate above `fps` every n-th frame is drawn, so the film runs at the scene's speed. Cycles, ten times slower, draws
    every other one of those, and smaller. Raises PianoHandsError('render-failed').
    """
    engine = best_engine()
    drawn = size
    if engine is Engine.CYCLES:
        fps, drawn = 0.5 * fps, (size[0] * 3 // 5, size[1] * 3 // 5)
    step = math.ceil(rate(scene) / fps - 1e-6)
    last = min(scene.frame_end, scene.frame_start + round(seconds * rate(scene)) - 1)
    with tempfile.TemporaryDirectory(prefix="piano_hands_") as folder:
        with _settings(scene, engine, size=drawn, effort=_FILM), _reported(progress, scene.frame_start, last, step):
            _write_images(scene, last=last, step=step, pattern=str(Path(folder) / "frame_####"))
        images = sorted(Path(folder).glob("frame_*.jpg"))
        if not images:
            raise PianoHandsError("render-failed", "No picture of the preview could be drawn.", "Look into the log for the reason.")
        film_fps = rate(scene) / step
        _encode(scene, images, path, size=size, fps=film_fps)
    return Film(path, engine, len(images), film_fps)


def render_stills(
    scene: bpy.types.Scene,
    folder: Path,
    moments: Sequence[float],
    *,
    cameras: Sequence[bpy.types.Object],
    size: tuple[int, int] = (1280, 720),
    engine: Engine | None = None,
) -> list[Path]:
    """A .png from each camera at each moment (seconds of the music), named after both."""
    made = []
    folder.mkdir(parents=True, exist_ok=True)
    with _settings(scene, engine or best_engine(), size=size, effort=_STILL):
        _image_format(scene, "PNG")
        for moment in moments:
            frame = frame_at(scene, moment)
            scene.frame_set(int(frame // 1), subframe=frame % 1.0)
            for camera in cameras:
                scene.camera = camera
                path = folder / f"{camera.name.lower().replace(' ', '_')}_{moment:06.2f}s.png"
                scene.render.filepath = str(path)
                bpy.ops.render.render(write_still=True, scene=scene.name)
                made.append(path)
    return made


def _write_images(scene: bpy.types.Scene, *, last: int, step: int, pattern: str) -> None:
    _image_format(scene, "JPEG")
    scene.render.image_settings.quality = 95
    scene.render.filepath = pattern
    scene.frame_end, scene.frame_step = last, step
    bpy.ops.render.render(animation=True, scene=scene.name)


def _encode(scene: bpy.types.Scene, images: Sequence[Path], path: Path, *, size: tuple[int, int], fps: float) -> None:
    """Pictures and the take's sound to an .mp4, in the sequencer of a scene of its own."""
    film = bpy.data.scenes.new("Preview")
    try:
        render = film.render
        render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
        render.fps = max(1, round(fps))
        render.fps_base = render.fps / fps
        film.frame_start, film.frame_end = 1, len(images)
        film.view_settings.view_transform = "Standard"  # the pictures have had theirs
        film.sequence_editor_create()
        strips = film.sequence_editor.strips
        pictures = strips.new_image("Pictures", str(images[0]), 2, 1, fit_method="FIT")
        for image in images[1:]:
            pictures.elements.append(image.name)
        pictures.frame_final_duration = len(images)
        strip = audio.sound_strip(scene)
        if strip is not None:
            zero = 1.0 + (scene[START_FRAME] - scene.frame_start) * fps / rate(scene)
            audio.place_sound(film, Path(bpy.path.abspath(strip.sound.filepath)), frame=zero)
        _film_format(film)
        render.filepath = str(path)
        bpy.ops.render.render(animation=True, scene=film.name)
    finally:
        sounds = [strip.sound for strip in film.sequence_editor.strips if strip.type == "SOUND"] if film.sequence_editor else []
        bpy.data.scenes.remove(film)
        bpy.data.batch_remove([sound for sound in sounds if sound is not None and sound.users == 0])


def _film_format(scene: bpy.types.Scene) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # from 5.0
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.use_file_extension = False
    coding = scene.render.ffmpeg
    coding.format, coding.codec, coding.audio_codec = "MPEG4", "H264", "AAC"
    coding.constant_rate_factor, coding.ffmpeg_preset, coding.gopsize = "HIGH", "REALTIME", 30
    coding.audio_bitrate = 160


def _image_format(scene: bpy.types.Scene, name: str) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = name
    settings.color_mode = "RGB"


@contextmanager
def _reported(progress: Progress | None, first: int, last: int, step: int) -> Iterator[None]:
    """Call `progress(done, total)` after each frame."""
    if progress is None:
        yield
        return
    total = (last - first) // step + 1

    def after_frame(scene: bpy.types.Scene, *_: Any) -> None:
        progress((scene.frame_current - first) // step + 1, total)

    bpy.app.handlers.render_post.append(after_frame)
    try:
        yield
    finally:
        bpy.app.handlers.render_post.remove(after_frame)


@contextmanager
def _settings(scene: bpy.types.Scene, engine: Engine, *, size: tuple[int, int], effort: Effort) -> Iterator[None]:
    """Settings for `engine` inside the block; afterwards everything is as before."""
    kept = _Kept()
    frame, subframe, camera = scene.frame_current, scene.frame_subframe, scene.camera
    render, shading = scene.render, scene.display.shading
    kept.note(render.image_settings, "media_type", "file_format", "color_mode", "quality")
    kept.note(scene, "frame_end", "frame_step")
    kept.note(render, "filepath", "use_file_extension", "film_transparent")
    kept.set(render, engine=engine.value, resolution_x=size[0], resolution_y=size[1], resolution_percentage=100)
    kept.set(render, use_sequencer=False, use_compositing=False, use_stamp=False, use_border=False, use_motion_blur=False)
    if engine is Engine.WORKBENCH:
        kept.set(scene.view_settings, view_transform="Standard", look="None", exposure=0.75, gamma=1.0)
        kept.set(scene.display, render_aa=effort.smooth, shadow_shift=0.1, shadow_focus=0.6, light_direction=(-0.35, 0.45, 0.82))
        kept.set(shading, light="STUDIO", color_type="MATERIAL", show_specular_highlight=True, background_type="THEME")
        kept.set(shading, show_shadows=True, shadow_intensity=0.45, show_cavity=True, cavity_type="BOTH", show_xray=False)
    else:
        cycles = scene.cycles
        kept.set(
            cycles,
            samples=effort.samples,
            use_adaptive_sampling=True,
            adaptive_threshold=0.05,
            use_denoising=True,
            max_bounces=4,
            denoiser="OPENIMAGEDENOISE",
            denoising_quality="FAST",
            denoising_prefilter="FAST",
        )
        kept.set(render, use_persistent_data=True)
    try:
        yield
    finally:
        kept.restore()
        scene.camera = camera
        scene.frame_set(frame, subframe=subframe)


class _Kept:
    """Values of properties as they were, in the order in which they have to come back."""

    def __init__(self) -> None:
        self._values: list[tuple[Any, str, Any]] = []

    def note(self, owner: Any, *names: str) -> None:
        """Remember properties, those that this Blender has."""
        for name in names:
            if hasattr(owner, name):
                value = getattr(owner, name)
                self._values.append((owner, name, value if isinstance(value, (str, bool, int, float)) else tuple(value)))

    def set(self, owner: Any, **values: Any) -> None:
        """Remember properties and change them."""
        self.note(owner, *values)
        for name, value in values.items():
            setattr(owner, name, value)

    def restore(self) -> None:
        for owner, name, value in self._values:
            setattr(owner, name, value)
