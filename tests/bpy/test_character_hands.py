# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands of characters: found whatever the names, and the same hand whatever the pose, unit, rolls and weights."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender.motion import rotation  # noqa: E402
from s2c_blender.motion.bone_structure import by_structure  # noqa: E402
from s2c_blender.motion.character_hand import character_hands  # noqa: E402
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig  # noqa: E402
from s2c_blender.motion.map_files import MAPS, read_convention  # noqa: E402
from s2c_blender.motion.skeleton import pad_points  # noqa: E402
from s2c_blender.scene import character  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.hands import FINGER_JOINTS, JOINTS, HandSide  # noqa: E402
from tests import character_rigs  # noqa: E402
from tests.character_rigs import Make  # noqa: E402

POSES = {
    "T-pose": {},
    "A-pose, loose tails, rolled": {"arms": 45.0, "curl": 14.0, "tails": "loose", "roll": 180.0},
    "centimetres, y up": {"unit": 0.01, "y_up": True, "arms": 20.0},
}
STEMS = sorted(path.stem for path in MAPS.glob("*.json") if path.stem != "piano_hands")


def names_of(stem: str) -> dict:
    convention = read_convention(MAPS / f"{stem}.json")
    return {(side, part): options[0] for side in HandSide for part, options in convention.parts[side].items()}


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("stem", STEMS)
def test_hands_are_found_by_structure_alone(stem, pose):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = character_rigs.build(Make(stem, skinned=False, **POSES[pose]))
    renamed = {bone.name: f"Bone.{number:03d}" for number, bone in enumerate(armature.data.bones)}
    for old, new in renamed.items():
        armature.data.bones[old].name = new
    found = character.find_map(armature)
    assert found.name == "By structure"
    for (side, part), name in names_of(stem).items():
        if part in JOINTS or part in ("forearm", "upper_arm"):
            assert found.parts[side][part] == renamed[name], part
    assert not any(note.stops for note in character.problems(armature, found))


def test_a_skeleton_without_hands_is_refused_in_words():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = bpy.data.objects.new("Dog", bpy.data.armatures.new("Dog"))
    bpy.context.scene.collection.objects.link(armature)
    with pytest.raises(PianoHandsError, match="No hands were found in Dog"):
        character.find_map(armature)
    assert by_structure({}, up=np.array([0.0, 0.0, 1.0])) is None


@pytest.mark.parametrize("hand", [0.75, 1.0, 1.3])
def test_a_characters_skeleton_is_our_hand_where_it_has_our_hand(hand):
    """The same flesh in another pose, unit, roll and size gives the same flat hand."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = character_rigs.build(Make("unreal4", hand=hand, arms=40, curl=10, unit=0.01, roll=180, tails="loose", turned=50))
    found = character.read_hands(armature, character.find_map(armature)).skeleton
    ours = hand_skeleton(load_hand_rig()).scaled(hand)
    assert np.abs(found.rest - ours.rest).max() < 0.0012 * hand
    assert np.abs(found.tips - ours.tips).max() < 0.004 * hand
    assert (np.sum(found.flexion * ours.flexion, axis=-1) > 0.99).all()
    poses = rotation.from_axis_angle(ours.flexion[None] * 0.4)
    places = np.zeros((1, 2, 3))
    lowest = [pad_points(skeleton, poses, places)[..., 2].min(axis=-1) for skeleton in (found, ours)]
    assert np.abs(lowest[0] - lowest[1]).max() < 0.002 * hand


def test_soft_skin_is_pad_as_far_back_as_it_is_pressed():
    """A mesh whose weights fade towards the last joint, as painted ones do."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = character_rigs.build(Make("unreal4"))
    bone_map, rig = character.find_map(armature), character.read_rig(armature)
    firm = character.read_hands(armature, bone_map).skeleton
    skins = [skin for skin in character.read_skins(armature, bone_map, rig) if skin is not None]
    for side, skin in zip(HandSide, skins, strict=True):
        for chain, tip in zip(
            FINGER_JOINTS, firm.tips[side] - firm.rest[side, [chain[-1] for chain in FINGER_JOINTS]], strict=True
        ):
            bone = rig[bone_map.parts[side][JOINTS[chain[-1]]]]
            follows = skin.weights[:, chain[-1]]
            deep = np.linalg.norm(skin.points - bone.head, axis=1) / np.linalg.norm(tip)
            skin.weights[:, chain[-1]] = follows * np.clip(0.8 + 0.3 * (deep - 0.4), 0.0, 1.0)  # whole from beyond the tip on
            skin.weights[:, chain[-2]] += follows - skin.weights[:, chain[-1]]
    soft = character_hands(bone_map, rig, skins, name="soft").skeleton
    for finger, chain in enumerate(FINGER_JOINTS):
        along = firm.tips[:, finger] - firm.rest[:, chain[-1]]
        begins = [
            np.einsum("hpi,hi->hp", s.pads[:, finger], along).min() / np.einsum("hi,hi->h", along, along).min()
            for s in (firm, soft)
        ]
        assert begins[1] < 0.5 and begins[1] < begins[0] + 0.25, finger


def test_an_even_scale_leaves_everything_where_it_is():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = character_rigs.build(Make("unreal4", stretch=(1.0, 1.2, 0.85), turned=30))
    mesh = character.skinned_meshes(armature)[0]

    def places():
        bpy.context.view_layer.update()
        evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
        points = np.array([evaluated.matrix_world @ vertex.co for vertex in evaluated.data.vertices])
        return points, np.array([armature.matrix_world @ bone.head_local for bone in armature.data.bones])

    before = places()
    assert character.even_scale(armature)
    for was, now in zip(before, places(), strict=True):
        assert np.abs(was - now).max() < 1e-5
    assert max(armature.scale) - min(armature.scale) < 1e-6
    assert not character.even_scale(armature)
