# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands in Blender: they move as NumPy says, carry the names others look for, and leave the person's work alone."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender.motion import rotation  # noqa: E402
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig, skin  # noqa: E402
from s2c_blender.motion.skeleton import forward  # noqa: E402
from s2c_blender.scene.armature import bone_name, hand_curves, pose_channels  # noqa: E402
from s2c_blender.scene.hands import animate_hands, build_hands  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.hands import FINGER_JOINTS, JOINTS, HandSide  # noqa: E402
from s2c_blender.wire.notes import Fingering, Score  # noqa: E402

COUNT = 6


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


def random_clip(seed: int = 0) -> Clip:
    """Poses far apart, of every joint, with quaternions of either sign."""
    generator = np.random.default_rng(seed)
    rotations = rotation.from_axis_angle(generator.normal(scale=0.5, size=(COUNT, 2, 16, 3)))
    rotations *= generator.choice([-1.0, 1.0], size=(COUNT, 2, 16, 1))
    nothing = np.zeros(0)
    return Clip(
        rotation=rotations.astype(np.float32),
        translation=generator.normal(scale=0.2, size=(COUNT, 2, 3)).astype(np.float32),
        fps=60.0,
        start=-1.0,
        score=Score(()),
        fingering=Fingering(nothing.astype(np.int8), nothing.astype(np.int8), nothing, nothing),
    )


def evaluated_points(ob: bpy.types.Object) -> np.ndarray:
    evaluated = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(evaluated.data.vertices), dtype=np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("span", [0.18, 0.22, 0.24])
def test_posed_skin_is_where_numpy_puts_it(scene, span):
    clip = random_clip()
    hands = build_hands(scene.collection, span=span)
    scene["s2c_start_frame"] = 61.0
    scene.render.fps = 60
    animate_hands(scene, hands, clip)
    expected = skin(load_hand_rig(), clip.rotation, clip.translation, span=span)
    for frame in range(COUNT):
        scene.frame_set(1 + frame)
        for hand in hands:
            error = np.abs(evaluated_points(hand.mesh) - expected[frame, hand.side])
            assert error.max() < 5e-5


def test_channels_turn_the_bones_as_the_clip_turns_the_joints(scene):
    clip = random_clip(1)
    hands = build_hands(scene.collection)
    joints, _ = forward(hand_skeleton(load_hand_rig()), clip.rotation.astype(float), clip.translation.astype(float))
    for hand in hands:
        channels = pose_channels(hand.armature, clip.rotation[:, hand.side], clip.translation[:, hand.side])
        assert len(channels) == 17
        for path, values in channels.items():
            hand.armature.path_resolve(path)[:] = values[2]
        bpy.context.view_layer.update()
        heads = np.array([hand.armature.pose.bones[bone_name(j, hand.side)].head for j in range(16)])
        assert np.abs(heads - joints[2, hand.side]).max() < 2e-6


def test_signs_are_continuous(scene):
    clip = random_clip(2)
    right, _ = build_hands(scene.collection)
    small = np.repeat(clip.rotation[:1, 0], 8, axis=0) * np.where(np.arange(8) % 2, -1.0, 1.0)[:, None, None]
    for path, values in pose_channels(right.armature, small, clip.translation[:1, 0].repeat(8, 0)).items():
        if path.endswith("quaternion"):
            assert (np.sum(values[1:] * values[:-1], axis=1) > 0.99).all()


def test_a_single_pose_has_channels(scene):
    right, _ = build_hands(scene.collection)
    clip = random_clip()
    for values in pose_channels(right.armature, clip.rotation[:1, 0], clip.translation[:1, 0]).values():
        assert len(values) == 1


def test_scene_contract(scene):
    for hand, word, suffix in zip(build_hands(scene.collection), ("right", "left"), (".R", ".L"), strict=True):
        assert hand.mesh["s2c_hand"] == hand.armature["s2c_hand"] == word
        assert {bone.name for bone in hand.armature.data.bones} == {name + suffix for name in JOINTS}
        assert {group.name for group in hand.mesh.vertex_groups} == {name + suffix for name in JOINTS}
        assert len(hand.mesh.modifiers) == 1
        assert hand.mesh.data.validate() is False


def test_tail_of_a_distal_bone_is_the_fingertip(scene):
    rig = load_hand_rig()
    for hand in build_hands(scene.collection):
        skeleton = hand_skeleton(rig)
        wrist = np.array(hand.armature.data.bones[bone_name(0, hand.side)].head_local)
        for finger, chain in enumerate(FINGER_JOINTS):
            tail = np.array(hand.armature.data.bones[bone_name(chain[-1], hand.side)].tail_local)
            assert np.abs(tail - wrist - skeleton.tips[hand.side, finger]).max() < 1e-6


def test_positive_turn_about_local_x_curls(scene):
    for hand in build_hands(scene.collection):
        skeleton = hand_skeleton(load_hand_rig())
        for joint in range(16):
            bone = hand.armature.data.bones[bone_name(joint, hand.side)]
            assert np.array(bone.matrix_local.col[0])[:3] @ skeleton.flexion[hand.side, joint] > 0.999


def test_faces_look_outwards(scene):
    for hand in build_hands(scene.collection):
        points = np.array([v.co for v in hand.mesh.data.vertices])
        normals = np.array([p.normal for p in hand.mesh.data.polygons])
        centres = np.array([p.center for p in hand.mesh.data.polygons])
        areas = np.array([p.area for p in hand.mesh.data.polygons])
        # Gauss: the flux of the position through a closed surface is three times its volume.
        volume = np.sum(areas * np.sum(normals * (centres - points.mean(0)), axis=1)) / 3.0
        assert 2e-4 < volume < 8e-4


def test_building_keeps_what_the_person_works_on(scene):
    mesh = bpy.data.objects.new("Mine", bpy.data.meshes.new("Mine"))
    scene.collection.objects.link(mesh)
    bpy.context.view_layer.objects.active = mesh
    mesh.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    hands = build_hands(scene.collection)
    assert bpy.context.view_layer.objects.active == mesh
    assert mesh.mode == "EDIT"
    assert not any(ob.select_get() for hand in hands for ob in (hand.armature, hand.mesh))
    bpy.ops.object.mode_set(mode="OBJECT")
    assert [ob.name for ob in bpy.context.selected_objects] == ["Mine"]


def test_hands_can_live_in_a_collection_that_is_hidden(scene):
    hidden = bpy.data.collections.new("Hidden")
    scene.collection.children.link(hidden)
    bpy.context.view_layer.layer_collection.children["Hidden"].exclude = True
    right, left = build_hands(hidden, sleeves=False)
    assert set(hidden.objects) == {right.armature, right.mesh, left.armature, left.mesh}


def test_sleeves_take_no_part_in_contact_and_reach_for_the_elbow(scene):
    clip = random_clip(4)
    hands = build_hands(scene.collection)
    for hand in hands:
        bpy.data.objects["Sleeve" + hand.side.suffix].constraints[0].influence = 1.0
    assert sum("s2c_hand" in ob for ob in scene.objects) == 4
    for hand in hands:
        for path, values in pose_channels(hand.armature, clip.rotation[:, hand.side], clip.translation[:, hand.side]).items():
            hand.armature.path_resolve(path)[:] = values[1]
    bpy.context.view_layer.update()
    for hand in hands:
        suffix = hand.side.suffix
        sleeve, elbow = (np.array(bpy.data.objects[name + suffix].matrix_world) for name in ("Sleeve", "Elbow"))
        to_elbow = elbow[:3, 3] - sleeve[:3, 3]
        assert -sleeve[:3, 1] @ to_elbow / np.linalg.norm(to_elbow) > 0.9999
        # It hangs on the wrist: 56 mm up the forearm.
        assert np.linalg.norm(sleeve[:3, 3] - clip.translation[1, hand.side]) == pytest.approx(0.056, abs=0.012)


def test_curves_carry_the_clip_frames(scene):
    clip = random_clip()
    right, _ = build_hands(scene.collection)
    curves = hand_curves(right.armature, clip, np.arange(COUNT) + 0.25)
    assert len(curves) == 16 * 4 + 3
    assert all(len(keys.frames) == len(keys.values) == COUNT for keys in curves.values())
    assert {group for _, _, group in curves} == {bone_name(j, HandSide.RIGHT) for j in range(16)}
