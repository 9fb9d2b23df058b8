# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole take in a scene: piano, hands, sound, light and cameras; and its removal.

Works on the data alone, so it runs without a window. What the person made is never touched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..motion.key_motion import KeyMotion, key_motion
from ..wire.clip import Clip
from ..wire.keyboard import Keyboard
from . import audio, camera, lights, pedal, piano_body
from .action import clear_curves
from .hands import HandObjects, animate_hands, build_hands
from .key_action import animate_keys
from .keyboard import build_keys
from .marks import is_ours, mark
from .timing import START_FRAME, set_timing
from .workspace import arrange

TAKE = "s2c_take"  # scene property: the clip's file
PIANO, BODY, HANDS, STAGE = "Piano", "Piano body", "Hands", "Stage"


@dataclass(frozen=True)
class StagedTake:
    """What `build_stage` made, for use at once: Blender objects must not be kept across frames or jobs."""

    scene: bpy.types.Scene
    keys: dict[int, bpy.types.Object]  # by MIDI pitch
    hands: tuple[HandObjects, HandObjects]  # right, left
    cameras: dict[str, bpy.types.Object]
    motion: KeyMotion
    start_frame: float


def build_stage(
    clip: Clip,
    clip_path: Path,
    *,
    audio_path: Path | None = None,
    scene: bpy.types.Scene | None = None,
    own: Clip | None = None,
) -> StagedTake:
    """Put the take of `clip` into `scene` (default: the context's), in place of the one that is there.

    own: what our own hands play beneath a character's take, if it is another one.
    """
    scene = scene or bpy.context.scene
    remove_take(scene)
    board = Keyboard(clip.octave)
    start_frame = set_timing(scene, clip)
    scene[TAKE] = str(clip_path)
    _set_colours(scene)

    piano = _collection(scene.collection, PIANO)
    keys = build_keys(board, piano)
    body = _collection(piano, BODY)
    piano_body.build_body(board, body)
    pedals = pedal.build_pedals(body)
    motion = key_motion(clip.score, clip.fingering)
    animate_keys(keys, motion, board, times=clip.times, fps=clip.fps, start_frame=start_frame)
    pedal.animate_pedal(pedals["sustain"], clip.score.pedal, fps=clip.fps, start_frame=start_frame)

    own = own or clip
    hands = build_hands(_collection(scene.collection, HANDS), span=own.hand_size)
    animate_hands(scene, hands, own)
    stage = _collection(scene.collection, STAGE)
    cameras = camera.build_cameras(clip, scene, stage, start_frame=start_frame)
    lights.build_lights(scene, stage)
    if audio_path is not None:
        audio.add_sound(scene, audio_path, frame=start_frame)
    scene.frame_set(scene.frame_start)
    arrange(scene)
    return StagedTake(scene, keys, hands, cameras, motion, start_frame)


def remove_take(scene: bpy.types.Scene) -> bool:
    """Take everything that `build_stage` made out of the scene; returns whether there was anything."""
    made = [thing for thing in scene.collection.all_objects if is_ours(thing)]
    there = bool(made) or TAKE in scene
    for thing in made:
        clear_curves(thing)
    data = {thing.data for thing in made if thing.data is not None and is_ours(thing.data)}
    if scene.camera in made:
        scene.camera = None
    audio.remove_sound(scene)
    bpy.data.batch_remove(made)
    for collection in _ours_below(scene.collection):
        if not collection.all_objects:
            bpy.data.collections.remove(collection)
    if scene.world is not None and is_ours(scene.world) and scene.world.users == 1:
        bpy.data.worlds.remove(scene.world)
    _remove_unused(data)
    _remove_unused(material for material in bpy.data.materials if is_ours(material))
    for name in (TAKE, START_FRAME):
        scene.pop(name, None)
    return there


def _collection(parent: bpy.types.Collection, name: str) -> bpy.types.Collection:
    """The child of that name, the person's own included; made where there is none."""
    found = parent.children.get(name)
    if found is None:
        found = mark(bpy.data.collections.new(name))
        parent.children.link(found)
    return found


def _ours_below(root: bpy.types.Collection) -> list[bpy.types.Collection]:
    """Marked collections under `root`, innermost first."""
    return [collection for collection in reversed(root.children_recursive) if is_ours(collection)]


def _remove_unused(blocks: Iterable[bpy.types.ID]) -> None:
    bpy.data.batch_remove([block for block in blocks if block.users == 0])


def _set_colours(scene: bpy.types.Scene) -> None:
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
