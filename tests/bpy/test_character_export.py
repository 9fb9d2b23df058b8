# SPDX-License-Identifier: GPL-3.0-or-later
"""A character out of Blender and in again: its fingertips are at each frame where they were, to half a millimetre."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender import registration  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene import character, export  # noqa: E402
from s2c_blender.wire.hands import FINGER_JOINTS, JOINTS, HandSide  # noqa: E402
from tests import character_rigs, midi_files, rigify_rigs  # noqa: E402
from tests.character_rigs import Make  # noqa: E402
from tests.exported import ALLOWED, FRAMES, clean, errors_of_skin, needs, point  # noqa: E402

MAKES = {
    "metres": Make("unreal4", arms=45, curl=14, tails="loose", roll=180),
    "centimetres, y up": Make("mixamo", prefix="mixamorig:", unit=0.01, y_up=True, roll=40),
}
IMPORTS = {
    "FBX": ("wm.fbx_import", ".fbx", {"anim_offset": 0.0}),
    "glTF": ("import_scene.gltf", ".glb", {}),
    "USD": ("wm.usd_import", ".usdc", {}),
    "Alembic": ("wm.alembic_import", ".abc", {"as_background_job": False}),
}


def bake(folder, armature):
    """Files of every format, the fingertips' skin (F, 10, 3), and the last bones' ends (F, 10, 3) with their names."""
    scene = bpy.context.scene
    settings = settings_of(scene)
    settings.piece, settings.folder = str(midi_files.piece(folder / "piece.mid", notes=8)), str(folder)
    bpy.ops.s2c.generate()
    settings.character = armature()
    bpy.ops.s2c.bake_character()
    bone_map = character.find_map(settings.character)
    bones = [bone_map.parts[side][JOINTS[joints[-1]]] for side in HandSide for joints in FINGER_JOINTS]
    for kind in export.WRITERS:
        assert bpy.ops.s2c.export_take(kind=kind) == {"FINISHED"}
    chosen = fingertip_vertices(settings.character, bones)
    skin, ends = [], []
    for frame in FRAMES:
        scene.frame_set(frame)
        skin.append([point(name, vertex) for name, vertex in chosen])
        ends.append([np.array(settings.character.matrix_world @ settings.character.pose.bones[bone].tail) for bone in bones])
    return folder / f"piece-{settings.character.name}", np.array(skin), np.array(ends), bones


def fingertip_vertices(armature, bones):
    """(mesh, vertex) that follows each last bone and is farthest from its joint at rest."""
    mesh = character.skinned_meshes(armature)[0]
    to_bones = armature.matrix_world.inverted() @ mesh.matrix_world
    chosen = []
    for bone in bones:
        group = mesh.vertex_groups[bone if bone in mesh.vertex_groups else f"DEF-{bone}"].index
        own = [v.index for v in mesh.data.vertices if any(g.group == group and g.weight > 0.9 for g in v.groups)]
        head = armature.data.bones[bone].head_local
        chosen.append((mesh.name, max(own, key=lambda index: (to_bones @ mesh.data.vertices[index].co - head).length)))
    return chosen


@pytest.fixture(scope="module", params=MAKES)
def take(request, tmp_path_factory):
    clean()
    registration.register()
    try:
        return bake(tmp_path_factory.mktemp("export"), lambda: character_rigs.build(MAKES[request.param]))
    finally:
        registration.unregister()


@pytest.mark.parametrize("kind", IMPORTS)
def test_skin_comes_in_again_where_it_was(take, kind):
    operator, suffix, options = IMPORTS[kind]
    needs(operator)
    path, skin, *_ = take
    assert np.ptp(skin, axis=0).max() > 0.02  # a still hand would be found out
    clean()
    group, name = operator.split(".")
    getattr(getattr(bpy.ops, group), name)(filepath=str(path.with_suffix(suffix)), **options)
    assert not [thing for thing in bpy.data.objects if thing.name.startswith("Hand")]  # our own hands stay at home
    errors = errors_of_skin(skin)
    print(f"{kind} {1e6 * errors.max():.2f} um")
    assert errors.max() < ALLOWED


def test_bones_come_in_again_where_they_were(take):
    needs("import_anim.bvh")
    path, _, ends, bones = take
    clean()
    bpy.ops.import_anim.bvh(
        filepath=str(path.with_suffix(".bvh")),
        global_scale=0.01,
        frame_start=1,
        axis_forward="Y",
        axis_up="Z",
        rotate_mode="QUATERNION",
    )
    thing = next(thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE")
    for frame, wanted in zip(FRAMES, ends, strict=True):
        bpy.context.scene.frame_set(frame)
        found = [np.array(thing.matrix_world @ thing.pose.bones[bone].tail) for bone in bones]
        assert np.linalg.norm(found - wanted, axis=1).max() < ALLOWED


@pytest.mark.skipif(not rigify_rigs.available(), reason="this Blender has no Rigify")
@pytest.mark.parametrize("kind", ["FBX", "glTF"])
def test_a_rig_of_controls_goes_out_as_it_moves(tmp_path, kind):
    needs(IMPORTS[kind][0])
    clean()
    registration.register()
    try:
        scene = bpy.context.scene
        settings = settings_of(scene)
        settings.piece, settings.folder = str(midi_files.piece(tmp_path / "piece.mid", notes=4)), str(tmp_path)
        bpy.ops.s2c.generate()
        settings.character = rigify_rigs.build(Make("rigify_metarig", arms=35, curl=9), generated=True, face=False)
        settings.character_way = "fast"
        bpy.ops.s2c.bake_character()
        bpy.ops.s2c.export_take(kind=kind)
        bones = [f"DEF-f_{word}.03.{side}" for side in "RL" for word in ("index", "middle", "ring", "pinky")]
        chosen, skin = fingertip_vertices(settings.character, bones), []
        for frame in FRAMES:
            scene.frame_set(frame)
            skin.append([point(name, vertex) for name, vertex in chosen])
    finally:
        registration.unregister()
    clean()
    operator, suffix, options = IMPORTS[kind]
    group, name = operator.split(".")
    getattr(getattr(bpy.ops, group), name)(filepath=str(tmp_path / f"piece-Character{suffix}"), **options)
    errors = errors_of_skin(np.array(skin))
    print(f"{kind} {1e6 * errors.max():.2f} um")
    assert errors.max() < ALLOWED
