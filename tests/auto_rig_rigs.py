# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig after Auto-Rig Pro's convention for tests: chains of FK and IK controls, and deforming bones between which
`ik_fk_switch` chooses (1 is FK). Made by the tests themselves: the real one is not free, and this has none of it.
"""

import bpy
import numpy as np

from s2c_blender.motion.map_files import read_convention
from s2c_blender.wire.hands import HandSide

from . import character_rigs
from .character_rigs import MAPS, Make

SWITCH = "ik_fk_switch"
#: FK controls, IK chain, IK control, pole and deforming bones of a limb; {} is the side.
_LIMBS = (
    (("c_arm_fk.{}", "c_forearm_fk.{}", "c_hand_fk.{}"), ("arm_ik.{}", "forearm_ik.{}"), "c_hand_ik.{}", "c_arms_pole.{}",
     ("arm_stretch.{}", "forearm_stretch.{}", "hand.{}"), 0.35),
    (("c_thigh_fk.{}", "c_leg_fk.{}", "c_foot_fk.{}"), ("thigh_ik.{}", "leg_ik.{}"), "c_foot_ik.{}", "c_leg_pole.{}",
     ("thigh_stretch.{}", "leg_stretch.{}", "foot.{}"), -0.35),
)  # fmt: skip


def build(make: Make, name: str = "Character") -> bpy.types.Object:
    """The rig with its mesh. `make.convention` has to be "auto_rig_pro", without skin."""
    armature = character_rigs.build(make, name)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for side in ("r", "l"):
        for limb in _LIMBS:
            _add_bones(armature.data.edit_bones, limb, side)
        for finger in ("index", "middle", "ring", "pinky"):
            armature.data.edit_bones[f"c_{finger}1_base.{side}"].parent = armature.data.edit_bones[f"hand.{side}"]
        armature.data.edit_bones[f"c_thumb1.{side}"].parent = armature.data.edit_bones[f"hand.{side}"]
    bpy.ops.object.mode_set(mode="OBJECT")
    for side in ("r", "l"):
        for limb in _LIMBS:
            _constrain(armature, limb, side)
    joints, ends = character_rigs._joints(make)
    deforming = read_convention(MAPS / "auto_rig_pro_deform.json")
    names = character_rigs._names(make)
    for side in HandSide:
        for part in ("upper_arm", "forearm", "wrist", "thigh", "shin", "foot"):
            names[part + side.suffix] = deforming.parts[side][part][0]
    character_rigs._clothe(armature, make, names, joints, ends)
    bpy.context.view_layer.update()
    return armature


def _add_bones(bones, limb, side: str) -> None:
    fk, ik, control, pole, deform, behind = limb
    like = [bones[each.format(side)] for each in fk]

    def copied(name: str, original, parent):
        bone = bones.new(name.format(side))
        bone.head, bone.tail, bone.roll = original.head, original.tail, original.roll
        bone.parent = parent
        return bone

    root = bones.get("c_traj") or bones.new("c_traj")
    root.tail = (0.0, 0.2, 0.0) if root.tail.length == 0.0 else root.tail
    above = like[0].parent
    for chain, originals in ((ik, like[:2]), (deform, like)):
        parent = above
        for name, original in zip(chain, originals, strict=True):
            parent = copied(name, original, parent)
    copied(control, like[2], root)
    bone = copied(pole, like[1], root)
    length = bone.length
    bone.head = like[1].head + type(like[1].head)((0.0, behind, 0.0))
    bone.tail = bone.head + type(bone.head)((0.0, 0.0, 0.3 * length))


def _constrain(armature: bpy.types.Object, limb, side: str) -> None:
    fk, ik, control, pole, deform, _ = limb
    bones = armature.pose.bones
    bones[control.format(side)][SWITCH] = 1.0  # as the person left it: FK
    reach = bones[ik[1].format(side)].constraints.new("IK")
    reach.target, reach.subtarget, reach.chain_count = armature, control.format(side), 2
    reach.pole_target, reach.pole_subtarget = armature, pole.format(side)
    reach.pole_angle = _pole_angle(armature, [name.format(side) for name in ik], pole.format(side))
    for name, by_fk, by_ik in zip(deform, fk, (*ik, control), strict=True):
        bone = bones[name.format(side)]
        for target, expression in ((by_fk, "switch"), (by_ik, "1.0 - switch")):
            follow = bone.constraints.new("COPY_ROTATION")
            follow.target, follow.subtarget = armature, target.format(side)
            driver = follow.driver_add("influence").driver
            driver.expression = expression
            variable = driver.variables.new()
            variable.name = "switch"
            variable.targets[0].id = armature
            variable.targets[0].data_path = f'pose.bones["{control.format(side)}"]["{SWITCH}"]'


def _pole_angle(armature: bpy.types.Object, chain: list[str], pole: str) -> float:
    """By which a straight limb at rest stays as it is: from its first bone's x axis to the pole, about the limb."""
    bones = armature.data.bones
    first, end = bones[chain[0]], bones[chain[1]].tail_local
    along = (end - first.head_local).normalized()
    to_pole = bones[pole].head_local - first.head_local
    to_pole = (to_pole - to_pole.dot(along) * along).normalized()
    own = first.matrix_local.to_3x3().col[0]
    own = (own - own.dot(along) * along).normalized()
    return float(np.arctan2(to_pole.cross(own).dot(along), own.dot(to_pole)))
