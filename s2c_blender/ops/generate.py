# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate and Cancel: from the scene's settings to a job for the backend, and from its clip to the scene."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from mathutils import Vector

from ..jobs import pump
from ..jobs.job import Job, Phase
from ..preferences import check_online, chosen_backend, user_folder
from ..properties import settings_of
from ..scene.audio import sound_strip
from ..ui.prior import has_checkpoint
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.kind import is_recording
from ..wire.messages import Generate
from .note_list import kept_fingers, list_notes
from .old_takes import remember

_SOUND_SUFFIX = ".wav"


class S2CJob:
    """What operators share that give the backend a job and bring its take into the scene."""

    def work(
        self, context: bpy.types.Context, request: Generate, python: Path | None = None, *, place: pump.Place | None = None
    ) -> set[str]:
        """Begin the job; without a window, wait for its end. `place` brings its take into the scene: by default as a stage."""
        try:
            job = Job(request, scene_uid=context.scene.session_uid)
            python = python or chosen_backend(context)
            check_online(python)
            pump.begin(job, sessions=user_folder("sessions"), python=python, place=place or _place)
        except PianoHandsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.background:
            return {"FINISHED"}  # the timer goes on from here
        pump.run_to_end()
        return self._outcome(job)

    def _outcome(self, job: Job) -> set[str]:
        for warning in job.warnings:
            self.report({"WARNING"}, str(warning))
        if job.phase is Phase.DONE:
            self.report({"INFO"}, f"Take made: {job.clip}")
            return {"FINISHED"}
        if job.error is not None:
            self.report({"ERROR"}, str(job.error))
        return {"CANCELLED"}


class S2C_OT_generate(S2CJob, bpy.types.Operator):
    """Let two hands play the chosen piece: fingers, motion, piano and sound"""

    bl_idname = "s2c.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}  # the undo step is pushed when the take arrives

    name: bpy.props.StringProperty(
        name="Name", description="Name of the take's file. Empty: the piece's", options={"HIDDEN", "SKIP_SAVE"}
    )
    python: bpy.props.StringProperty(
        name="Python", description="The backend's Python. Empty: as in the preferences", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if pump.busy():
            cls.poll_message_set("A take is being made already")
            return False
        settings = settings_of(context.scene)
        if not settings.piece:
            cls.poll_message_set("Choose a MIDI file or a recording first")
            return False
        if settings.prior == "s2c" and not settings.checkpoint and not has_checkpoint(context):
            cls.poll_message_set("Choose the folder of S2C's checkpoint first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.work(context, _request(context.scene, self.name), Path(self.python) if self.python else None)


class S2C_OT_cancel(bpy.types.Operator):
    """Stop making the take; the scene stays as it is"""

    bl_idname = "s2c.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        job = pump.current()
        return job is not None and job.phase in (Phase.WORKING, Phase.READY)

    def execute(self, context: bpy.types.Context) -> set[str]:
        pump.cancel()
        return {"FINISHED"}


def _request(scene: bpy.types.Scene, name: str) -> Generate:
    settings = settings_of(scene)
    piece, s2c = Path(bpy.path.abspath(settings.piece)), settings.prior == "s2c"
    notes = not is_recording(piece)
    recording = bpy.path.abspath(settings.recording) if notes and settings.recording else None
    ending = "_raw" if s2c and settings.raw else ""  # so that it can be looked at beside the take on the keys
    output = _folder(settings) / f"{name or piece.stem + ending}.npz"
    listens = s2c and bool(settings.checkpoint)  # the small one that ships reads notes, and they are made audible
    return request_for(
        scene,
        piece,
        output=output,
        recording=recording,
        audio_output=str(output.with_suffix(_SOUND_SUFFIX)) if notes and not recording and not listens else None,
        seed=settings.seed,
        seconds=settings.seconds if settings.limit else None,
        raw=s2c and settings.raw,
        fixed=() if s2c and settings.raw else kept_fingers(scene, piece),
    )


def request_for(scene: bpy.types.Scene, source: Path, *, output: Path, recording: str | None, **asked: Any) -> Generate:
    """A job by the scene's settings. `asked`: what of a Generate message is not the same for every job."""
    settings = settings_of(scene)
    s2c = settings.prior == "s2c"
    return Generate(
        job=uuid.uuid4().hex,
        input=str(source),
        output=str(output),
        recording=recording,
        fps=scene.render.fps / scene.render.fps_base,
        hand_size=settings.hand_size / 100,
        style=settings.style,
        octave=settings.octave / 100,
        prior=settings.prior,
        checkpoint=bpy.path.abspath(settings.checkpoint) if s2c and settings.checkpoint else None,
        mano=bpy.path.abspath(settings.mano) if s2c and settings.mano else None,
        steps=settings.steps,
        compatibility="reference" if settings.as_published else "none",
        draft=settings.draft and is_recording(source),
        on_keys=settings.on_keys,
        **asked,
    )


def _folder(settings: bpy.types.PropertyGroup) -> Path:
    if settings.folder:
        return Path(bpy.path.abspath(settings.folder))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent
    return user_folder("takes")


def _place(job: Job) -> bool:
    """Build the take's stage as one undo step; False while the person is in the middle of something."""
    if hands_full():
        return False
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == job.scene_uid), None)
    if scene is None:
        raise PianoHandsError(
            "no-scene",
            f"The scene that asked for this take is gone. The take is kept in {job.clip}.",
            "Put it into a scene with Open Take.",
        )
    request = job.request
    sound = request.audio_output or request.recording or request.input  # what was listened to is what is heard
    if request.begin is not None:  # of a take only hands change
        strip = sound_strip(scene)
        sound = bpy.path.abspath(strip.sound.filepath) if strip is not None else None
        remember(Path(request.output))
    clip = Clip.load(Path(request.output))
    put_into_scene(scene, clip, Path(request.output), Path(sound) if sound else None)
    job.remarks = clip.score.left_out + clip.fingering.remarks
    standing = in_the_way(scene)
    if standing:
        job.warnings.append(
            PianoHandsError(
                "in-the-way",
                f"{', '.join(standing[:3])}{' and more' if len(standing) > 3 else ''} stands where the piano is.",
                "Move, hide or delete it.",
            )
        )
    if not bpy.app.background:
        push_undo("Generate Piano Hands")
    return True


def put_into_scene(scene: bpy.types.Scene, clip: Clip, clip_path: Path, audio_path: Path | None) -> None:
    """Build piano, hands, sound and cameras of the clip."""
    from ..scene.play_on import own_take, play_again  # reads the rig; not needed to register
    from ..scene.stage import build_stage

    settings = settings_of(scene)
    with _shown(scene):
        own = own_take(scene) if clip.hands is not None else None
        beneath = Clip.load(own) if own is not None and own.is_file() else None
        build_stage(clip, clip_path, audio_path=audio_path, scene=scene, own=beneath)
        seated, error = settings.character_seated, settings.character_error / 1000
        play_again(scene, clip, clip_path, own_map=own_map(scene, clip.skeleton), seated=seated, error=error)
    list_notes(scene, clip)


def own_map(scene: bpy.types.Scene, character: str) -> Path | None:
    """The file of bones that the person gave for the character of that name."""
    settings = settings_of(scene)
    chosen = settings.character is not None and settings.character.name == character
    return Path(bpy.path.abspath(settings.character_map)) if chosen and settings.character_map else None


def in_the_way(scene: bpy.types.Scene) -> list[str]:
    """Names of the person's own solid objects that would render in the space where hands play."""
    from ..scene.marks import is_ours

    low, high = Vector((-0.65, -0.45, -0.02)), Vector((0.65, 0.15, 0.35))  # metres, keyboard frame: above the keys
    names = []
    for thing in scene.objects:
        if thing.type not in {"MESH", "CURVE", "SURFACE", "META", "FONT"} or thing.hide_render or is_ours(thing):
            continue
        corners = [thing.matrix_world @ Vector(corner) for corner in thing.bound_box]
        axes = list(zip(*corners, strict=True))
        if all(min(axes[k]) < high[k] and max(axes[k]) > low[k] for k in range(3)):
            names.append(thing.name)
    return names


@contextmanager
def _shown(scene: bpy.types.Scene) -> Iterator[None]:
    """Show `scene` in a window meanwhile: Edit Mode, in which bones are made, goes by the window's scene alone."""
    windows = bpy.context.window_manager.windows
    window = next((window for window in windows if window.scene == scene), None) or windows[0]
    before = window.scene
    window.scene = scene
    try:
        with bpy.context.temp_override(window=window):
            yield
    finally:
        window.scene = before


def push_undo(message: str) -> None:
    manager = bpy.context.window_manager
    window = bpy.context.window or manager.windows[0]
    with bpy.context.temp_override(window=window):
        bpy.ops.ed.undo_push(message=message)


def hands_full() -> bool:
    """Whether a mode or a running tool would swallow the undo step, or be disturbed."""
    if bpy.app.background:
        return False
    if any(len(window.modal_operators) for window in bpy.context.window_manager.windows):
        return True
    return bpy.context.mode != "OBJECT"
