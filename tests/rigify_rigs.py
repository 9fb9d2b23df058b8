# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's human for tests, metarig and generated, made by Blender's own add-on, with arms and hands of `character_rigs`."""

import addon_utils
import bpy
import numpy as np
from mathutils import Vector

from s2c_blender.wire.hands import HandSide

from . import character_rigs
from .character_rigs import Make


def available() -> bool:
    return any(module.__name__ == "rigify" for module in addon_utils.modules())


def build(make: Make, *, generated: bool, face: bool = True, name: str = "Character") -> bpy.types.Object:
    """The rig, its mesh bound to the deforming bones. `make.convention` has to be "rigify_metarig". Most of the time that it takes
    to generate goes into the face."""
    addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    if not face:
        _take_off_face(metarig)
    joints, ends = character_rigs._joints(make)
    names = character_rigs._names(make)
    _fit(metarig, joints, ends, names)
    rig = metarig
    if generated:
        bpy.ops.pose.rigify_generate()
        rig = bpy.context.object
        bpy.data.objects.remove(metarig)
        deforming = {part: f"DEF-{bone}" for part, bone in names.items()}
        names = {part: bone for part, bone in deforming.items() if bone in rig.data.bones}
    names = {part: bone for part, bone in names.items() if bone in rig.data.bones}
    rig.name = name
    character_rigs._clothe(rig, make, names, joints, ends)
    bpy.context.view_layer.update()
    return rig


def _take_off_face(metarig: bpy.types.Object) -> None:
    bpy.ops.object.mode_set(mode="EDIT")
    bones = metarig.data.edit_bones
    for bone in [*bones["face"].children_recursive, bones["face"]]:
        bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")


def _fit(metarig: bpy.types.Object, joints: dict, ends: dict, names: dict[str, str]) -> None:
    """Arms and hands as `character_rigs` has them, where the metarig's shoulders are; the body's joints as in the metarig."""
    bpy.ops.object.mode_set(mode="EDIT")
    bones = metarig.data.edit_bones
    for side in HandSide:
        offset = np.array(bones[names["upper_arm" + side.suffix]].head) - joints["upper_arm" + side.suffix]
        arm = [part for part in joints if part.endswith(side.suffix) and not part.startswith(("clavicle", "thigh", "shin", "foot"))]
        for part in arm:
            joints[part] = joints[part] + offset
        for part in [part for part in ends if part.endswith(side.suffix) and not part.startswith("foot")]:
            ends[part] = ends[part] + offset
    for part, name in names.items():
        if name not in bones or part.rpartition(".")[0] in ("clavicle", "thigh", "shin", "foot") or "." not in part:
            if name in bones:
                joints[part] = np.array(bones[name].head)
            continue
        following = [
            p for p in names if p in joints and character_rigs._parent(p, names) == part and character_rigs._continues(part, p)
        ]
        bones[name].head = Vector(joints[part])
        if part.startswith("wrist"):
            tail = joints[part] + 0.6 * (joints["middle1" + part[-2:]] - joints[part])
        elif part[:-3] in ("index", "middle", "ring", "pinky") and part[-3] == "0":
            tail = joints[part] + 0.98 * (joints[f"{part[:-3]}1{part[-2:]}"] - joints[part])
        else:
            tail = joints[following[0]] if following else ends.get(part, np.array(bones[name].tail))
        bones[name].tail = Vector(tail)
    for side in HandSide:
        ends["foot" + side.suffix] = np.array(bones[names["foot" + side.suffix]].tail)
    ends["head"] = np.array(bones["spine.006"].tail)
    bpy.ops.object.mode_set(mode="OBJECT")
