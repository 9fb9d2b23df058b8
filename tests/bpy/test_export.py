# SPDX-License-Identifier: GPL-3.0-or-later
"""Out of Blender and in again: in every format the fingertips are at each frame where they were, to half a millimetre."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender import registration  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene import export  # noqa: E402
from s2c_blender.wire.hands import FINGER_JOINTS, JOINTS  # noqa: E402
from tests import midi_files  # noqa: E402
from tests.exported import ALLOWED, FRAMES, clean, errors_of_skin, needs, point  # noqa: E402


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    """Files of every format, the fingertips' skin (F, 10, 3), and the ends of their bones (F, 10, 3)."""
    folder = tmp_path_factory.mktemp("export")
    clean()
    registration.register()
    scene = bpy.context.scene
    settings = settings_of(scene)
    settings.piece, settings.folder = str(midi_files.piece(folder / "piece.mid", notes=8)), str(folder)
    bpy.ops.s2c.generate()
    selected = [thing.name for thing in scene.objects if thing.select_get()]
    for kind in export.WRITERS:
        assert bpy.ops.s2c.export_take(kind=kind) == {"FINISHED"}
    assert [thing.name for thing in scene.objects if thing.select_get()] == selected
    chosen = fingertip_vertices(scene)
    skin, bones = [], []
    for frame in FRAMES:
        scene.frame_set(frame)
        skin.append([point(name, vertex) for name, vertex in chosen])
        bones.append(bone_ends(scene))
    registration.unregister()
    return folder, np.array(skin), np.array(bones)


def fingertip_vertices(scene):
    """(mesh, vertex) nearest to the end of each distal bone, at rest; right hand first, from the thumb on."""
    chosen = []
    for word, suffix in (("right", ".R"), ("left", ".L")):
        mesh = next(thing for thing in scene.objects if thing.get("s2c_hand") == word and thing.type == "MESH")
        places = np.array([vertex.co for vertex in mesh.data.vertices])
        for joints in FINGER_JOINTS:
            end = np.array(mesh.parent.data.bones[JOINTS[joints[-1]] + suffix].tail_local)
            chosen.append((mesh.name, int(np.argmin(np.linalg.norm(places - end, axis=1)))))
    return chosen


def bone_ends(scene):
    return [
        np.array(thing.matrix_world @ thing.pose.bones[JOINTS[joints[-1]] + suffix].tail)
        for word, suffix in (("right", ".R"), ("left", ".L"))
        for thing in scene.objects
        if thing.type == "ARMATURE" and thing.get("s2c_hand") == word
        for joints in FINGER_JOINTS
    ]


def test_the_take_moves_so_that_a_still_hand_would_be_found_out(take):
    _, skin, bones = take
    assert np.ptp(skin, axis=0).max() > 0.02 and np.ptp(bones, axis=0).max() > 0.02


def test_fbx(take):
    """By the importer that Blender has since 4.5; the older one loses the meshes of all armatures but one."""
    needs("wm.fbx_import")
    clean()
    bpy.ops.wm.fbx_import(filepath=str(take[0] / "piece.fbx"), anim_offset=0.0)
    errors = errors_of_skin(take[1])
    print(f"FBX {1e6 * errors.max():.2f} um")
    assert errors.max() < ALLOWED


def test_gltf(take):
    needs("import_scene.gltf")
    clean()
    bpy.ops.import_scene.gltf(filepath=str(take[0] / "piece.glb"))
    errors = errors_of_skin(take[1])
    print(f"glTF {1e6 * errors.max():.2f} um")
    assert errors.max() < ALLOWED


def test_usd(take):
    needs("wm.usd_import")
    clean()
    bpy.ops.wm.usd_import(filepath=str(take[0] / "piece.usdc"))
    errors = errors_of_skin(take[1])
    print(f"USD {1e6 * errors.max():.2f} um")
    assert errors.max() < ALLOWED


def test_alembic(take):
    needs("wm.alembic_import")
    clean()
    bpy.ops.wm.alembic_import(filepath=str(take[0] / "piece.abc"), as_background_job=False)
    errors = errors_of_skin(take[1])
    print(f"Alembic {1e6 * errors.max():.2f} um")
    assert errors.max() < ALLOWED


def test_bvh(take):
    needs("import_anim.bvh")
    worst = 0.0
    for side, word in enumerate(("right", "left")):
        clean()
        bpy.ops.import_anim.bvh(
            filepath=str(take[0] / f"piece_{word}.bvh"),
            global_scale=0.01,
            frame_start=1,
            axis_forward="Y",
            axis_up="Z",
            rotate_mode="QUATERNION",
        )
        thing = next(thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE")
        for frame, wanted in zip(FRAMES, take[2][:, 5 * side : 5 * side + 5], strict=True):
            bpy.context.scene.frame_set(frame)
            for joints, end in zip(FINGER_JOINTS, wanted, strict=True):
                bone = thing.pose.bones[JOINTS[joints[-1]] + (".R", ".L")[side]]
                worst = max(worst, float(np.linalg.norm(np.array(thing.matrix_world @ bone.tail) - end)))
    print(f"BVH {1e6 * worst:.2f} um")
    assert worst < ALLOWED


def test_the_piano_goes_along_on_demand_and_nothing_is_written_over(take):
    clean()
    registration.register()
    try:
        settings = settings_of(bpy.context.scene)
        settings.piece, settings.folder = str(take[0] / "piece.mid"), str(take[0])
        bpy.ops.s2c.open_take(filepath=str(take[0] / "piece.npz"))
        before = (take[0] / "piece.abc").read_bytes()
        settings.export_piano = True
        bpy.ops.s2c.export_take(kind="Alembic")
        assert (take[0] / "piece.abc").read_bytes() == before
        clean()
        bpy.ops.wm.alembic_import(filepath=str(take[0] / "piece~2.abc"), as_background_job=False)
        assert len([thing for thing in bpy.data.objects if thing.name.startswith("Key")]) == 88
    finally:
        registration.unregister()


def test_without_a_take_there_is_nothing_to_write(tmp_path):
    clean()
    with pytest.raises(export.PianoHandsError) as caught:
        export.export_take(bpy.context.scene, Path(tmp_path / "a.fbx"), kind="FBX")
    assert caught.value.code == "no-hands"


def test_motion_data_goes_out_beside_the_take_and_comes_in_as_one(take):
    clean()
    registration.register()
    try:
        scene = bpy.context.scene
        bpy.ops.s2c.open_take(filepath=str(take[0] / "piece.npz"))
        for kind in ("JSON", "MANO", "SMPLX"):
            assert bpy.ops.s2c.export_motion(kind=kind) == {"FINISHED"}
        start = scene["s2c_start_frame"]
        ends = {}
        for name in ("", "piece_piano_motion.json", "piece_mano.npz"):
            if name:
                assert bpy.ops.s2c.import_motion(filepath=str(take[0] / name)) == {"FINISHED"}
            for frame in range(0, 40, 4):  # 30 frames a second, as the data set has
                scene.frame_set(round(scene["s2c_start_frame"]) + frame)
                ends[name, frame] = np.array(bone_ends(scene))
        assert scene["s2c_start_frame"] == start
        for (name, frame), places in ends.items():
            assert np.abs(places - ends["", frame]).max() < ALLOWED, (name, frame)
        with pytest.raises(RuntimeError, match="no hand motion"):
            bpy.ops.s2c.import_motion(filepath=str(take[0] / "piece_smplx.npz"))
    finally:
        registration.unregister()
