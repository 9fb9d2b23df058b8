# SPDX-License-Identifier: GPL-3.0-or-later
"""The take in the formats of other programs, each with the settings that keep fingertips where they are.

Blender's own exporters do the work. They go by what is selected, which is afterwards as it was.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy
from mathutils import Matrix

from ..wire.clip import hand_rate
from ..wire.errors import PianoHandsError
from . import play_on
from .armature import HAND
from .double import doubled
from .marks import is_ours
from .stage import PIANO
from .timing import rate


def export_take(scene: bpy.types.Scene, path: Path, *, kind: str, piano: bool = False) -> list[Path]:
    """Write the take's armatures, what they move, and on demand the piano; returns the files. `kind`: a key of `WRITERS`.

    Of the armatures the selected ones that are animated; where none is, whoever plays: the character, or our own hands.
    Raises PianoHandsError('no-hands', 'no-exporter', 'export-failed').
    """
    armatures = _armatures(scene)
    if not armatures:
        raise PianoHandsError("no-hands", "There is no animated armature to write.", "Select your character, or open a take.")
    if not _switched_on(kind):
        raise PianoHandsError(
            "no-exporter", f"This Blender has no {kind} exporter switched on.", "Enable it in Preferences, Add-ons."
        )
    frame, subframe = scene.frame_current, scene.frame_subframe
    try:
        with _plain(scene, armatures, kind) as shown:
            things = [*shown, *_moved_by(scene, shown)]
            if piano:
                things += [thing for thing in _piano(scene) if thing not in things]
            with _selected(scene, things, active=shown[0]):
                return WRITERS[kind](scene, path, shown)
    except RuntimeError as error:
        raise PianoHandsError(
            "export-failed", f"{path.name} could not be written: {error}".strip(), "Try another folder."
        ) from error
    finally:
        scene.frame_set(frame, subframe=subframe)


def _fbx(scene: bpy.types.Scene, path: Path, _: list[bpy.types.Object]) -> list[Path]:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        check_existing=False,
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_step=1.0 / _samples(scene),
        bake_anim_simplify_factor=0.0,  # any other takes keys away until fingers leave their keys
        mesh_smooth_type="FACE",
    )
    return [path]


def _gltf(scene: bpy.types.Scene, path: Path, _: list[bpy.types.Object]) -> list[Path]:
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        check_existing=False,
        export_format="GLB",
        use_selection=True,
        export_animations=True,
        export_animation_mode="SCENE",  # one animation of both hands, not one for each slot
        export_anim_scene_split_object=False,
        export_force_sampling=True,
        export_optimize_animation_size=False,
        export_frame_range=True,
        export_negative_frame="CROP",
        export_rest_position_armature=True,
        export_influence_nb=8,
        export_all_influences=True,
        export_def_bones=False,
    )
    return [path]


def _bvh(scene: bpy.types.Scene, path: Path, armatures: list[bpy.types.Object]) -> list[Path]:
    """One file for each armature: the format holds one skeleton. Centimetres in the world, as motion capture programs have them."""
    written = []
    for armature in armatures:
        target = path if len(armatures) == 1 else path.with_name(f"{path.stem}_{_word(armature)}{path.suffix}")
        with bpy.context.temp_override(active_object=armature, object=armature, selected_objects=[armature]):
            bpy.ops.export_anim.bvh(
                filepath=str(target),
                check_existing=False,
                global_scale=100.0,
                frame_start=scene.frame_start,
                frame_end=scene.frame_end,
                rotate_mode="ZYX",
                root_transform_only=False,
            )
        written.append(target)
    return written


def _usd(scene: bpy.types.Scene, path: Path, _: list[bpy.types.Object]) -> list[Path]:
    bpy.ops.wm.usd_export(
        filepath=str(path),
        check_existing=False,
        selected_objects_only=True,
        export_animation=True,
        export_armatures=True,
        only_deform_bones=False,
        export_lights=False,
        export_cameras=False,
        convert_world_material=False,
        evaluation_mode="RENDER",
    )
    return [path]


def _alembic(scene: bpy.types.Scene, path: Path, _: list[bpy.types.Object]) -> list[Path]:
    """Meshes alone, point by point: the format has no bones."""
    samples = _samples(scene)
    bpy.ops.wm.alembic_export(
        filepath=str(path),
        check_existing=False,
        start=scene.frame_start,
        end=scene.frame_end,
        xsamples=samples,
        gsamples=samples,
        selected=True,
        as_background_job=False,  # without a window it would never end
        evaluation_mode="RENDER",
    )
    return [path]


Writer = Callable[[bpy.types.Scene, Path, list[bpy.types.Object]], list[Path]]

WRITERS: dict[str, Writer] = {"FBX": _fbx, "glTF": _gltf, "BVH": _bvh, "USD": _usd, "Alembic": _alembic}
SUFFIXES = {"FBX": ".fbx", "glTF": ".glb", "BVH": ".bvh", "USD": ".usdc", "Alembic": ".abc"}


_OPERATORS = {
    "FBX": ("export_scene", "fbx"),
    "glTF": ("export_scene", "gltf"),
    "BVH": ("export_anim", "bvh"),
    "USD": ("wm", "usd_export"),
    "Alembic": ("wm", "alembic_export"),
}


def _switched_on(kind: str) -> bool:
    """Whether the add-on that brings the exporter is on."""
    group, name = _OPERATORS[kind]
    return name in dir(getattr(bpy.ops, group))


@contextmanager
def _plain(scene: bpy.types.Scene, armatures: list[bpy.types.Object], kind: str) -> Iterator[list[bpy.types.Object]]:
    """The armatures as a format can hold them. In place of rigs of controls meanwhile one that moves alike.

    Constraints that stretch bones would shear what hangs on them, which no format holds; and BVH leaves out how an object stands.
    """
    if kind == "Alembic":
        yield armatures
        return
    with ExitStack() as stack:
        yield [
            stack.enter_context(doubled(scene, armature))
            if any(pose.constraints for pose in armature.pose.bones) or (kind == "BVH" and armature.matrix_world != Matrix())
            else armature
            for armature in armatures
        ]


def _samples(scene: bpy.types.Scene) -> int:
    """Poses that hands carry in one of the scene's frames."""
    return math.ceil(hand_rate(rate(scene)) / rate(scene) - 1e-6)


def _armatures(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    def animated(thing: bpy.types.Object) -> bool:
        return thing.type == "ARMATURE" and thing.animation_data is not None and thing.animation_data.action is not None

    chosen = [thing for thing in scene.objects if animated(thing) and thing.select_get()]
    character = play_on.player(scene)
    if chosen or character is not None:
        return chosen or [character]
    return [thing for thing in scene.objects if animated(thing) and HAND in thing and is_ours(thing)]


def _moved_by(scene: bpy.types.Scene, armatures: list[bpy.types.Object]) -> list[bpy.types.Object]:
    def moves(thing: bpy.types.Object) -> bool:
        return thing.parent in armatures or any(each.type == "ARMATURE" and each.object in armatures for each in thing.modifiers)

    return [thing for thing in scene.objects if thing.type == "MESH" and not thing.hide_render and moves(thing)]


def _piano(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    collection = scene.collection.children.get(PIANO)
    return [thing for thing in collection.all_objects if thing.type == "MESH"] if collection else []


def _word(armature: bpy.types.Object) -> str:
    return str(armature.get(HAND) or armature.name)


@contextmanager
def _selected(scene: bpy.types.Scene, things: list[bpy.types.Object], *, active: bpy.types.Object) -> Iterator[None]:
    """Only `things` are selected meanwhile, and can be seen."""
    layer = bpy.context.view_layer
    before, last = [thing for thing in layer.objects if thing.select_get()], layer.objects.active
    hidden = [(thing, thing.hide_viewport, thing.hide_get()) for thing in things if thing.hide_viewport or thing.hide_get()]
    for thing, _, _ in hidden:
        thing.hide_viewport = False
        thing.hide_set(False)
    for thing in before:
        thing.select_set(False)
    for thing in things:
        thing.select_set(True)
    layer.objects.active = active
    try:
        yield
    finally:
        for thing in things:
            thing.select_set(False)
        for thing in before:
            thing.select_set(True)
        layer.objects.active = last
        for thing, viewport, here in hidden:
            thing.hide_viewport = viewport
            thing.hide_set(here)
