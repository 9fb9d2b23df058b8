# SPDX-License-Identifier: GPL-3.0-or-later
"""The hands' armatures, and how a clip's joint rotations become their bones' channels.

Armature space is the keyboard frame. Each bone runs along its segment (local Y) with local Z towards the palm, so that
turning it about its local X by a positive angle curls it. `pose_channels` holds for any such armature, whatever the rolls.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..motion import rotation
from ..motion.skeleton import HandSkeleton
from ..wire.clip import Clip
from ..wire.hands import FINGER_JOINTS, JOINTS, PARENTS, HandSide
from .action import Channel, Keys
from .marks import mark

Array = NDArray[np.floating]

HAND = "s2c_hand"  # custom property of a hand's mesh and armature: "right" or "left"
#: Where the wrists wait when nothing animates them: before the keys, an arm's breadth apart.
WAITING = np.array([[0.17, -0.16, 0.06], [-0.17, -0.16, 0.06]])


def bone_name(joint: int, side: HandSide) -> str:
    return JOINTS[joint] + side.suffix


def build_armature(skeleton: HandSkeleton, side: HandSide, *, collection: bpy.types.Collection) -> bpy.types.Object:
    """An armature of 16 bones for one hand, linked into `collection`. Works in Object Mode and without a window."""
    name = f"Hand{side.suffix}"
    armature = mark(bpy.data.armatures.new(name))
    armature.display_type = "STICK"
    ob = mark(bpy.data.objects.new(name, armature))
    ob[HAND] = side.word
    ob.show_in_front = True
    with _edit_bones(ob) as bones:
        for joint, (head, tail, palmar) in enumerate(_segments(skeleton, side)):
            bone = bones.new(bone_name(joint, side))
            bone.head, bone.tail = head, tail
            bone.align_roll(Vector(palmar))
            if PARENTS[joint] >= 0:
                bone.parent = bones[bone_name(PARENTS[joint], side)]
                bone.use_connect = PARENTS[joint] > 0
    for bone in ob.pose.bones:
        bone.rotation_mode = "QUATERNION"
        bone.lock_location = (bone.parent is not None,) * 3
        bone.lock_scale = (True,) * 3
    collection.objects.link(ob)
    return ob


def _segments(skeleton: HandSkeleton, side: HandSide) -> list[tuple[Array, Array, Array]]:
    """Head, tail and the direction of the palm's side of each bone, in the keyboard frame."""
    joints = skeleton.rest[side] + WAITING[side]
    tails = np.empty_like(joints)
    tails[0] = joints[FINGER_JOINTS[2][0]]
    for finger, chain in enumerate(FINGER_JOINTS):
        tails[list(chain)] = [joints[chain[1]], joints[chain[2]], skeleton.tips[side, finger] + WAITING[side]]
    along = tails - joints
    # A bone's palm side is square to its flexion axis: the tip goes there when it curls.
    palmar = np.cross(skeleton.flexion[side], along)
    return list(zip(joints, tails, palmar, strict=True))


@contextmanager
def _edit_bones(ob: bpy.types.Object) -> Iterator[bpy.types.ArmatureEditBones]:
    """Edit Mode on an object that is in no collection yet; afterwards the person's active object and mode are as before."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.collection.objects.link(ob)
    before = layer.objects.active
    mode = before.mode if before is not None else "OBJECT"
    window = next((w for w in bpy.context.window_manager.windows if w.scene == scene), None)
    # Timers run without a window; operators want one where there is one.
    with bpy.context.temp_override(**({"window": window} if window else {}), scene=scene, view_layer=layer):
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = ob
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            yield ob.data.edit_bones
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")
            layer.objects.active = before
            ob.select_set(False)
            if mode != "OBJECT":
                bpy.ops.object.mode_set(mode=mode)
            scene.collection.objects.unlink(ob)


def pose_channels(armature: bpy.types.Object, rotations: Array, translation: Array) -> dict[str, Array]:
    """One hand's poses as values of its bones' properties: data path to (T, 4) rotation_quaternion or (T, 3) location.

    rotations (T, 16, 4) relative to the parent joint, rest axes along the keyboard frame; translation (T, 3) of the wrist.
    With r the rest orientation of a bone in armature space, its channel is r^-1 q r: the same turn seen from the bone's own axes.
    The armature object stands at the keyboard frame's origin. Signs are continuous from frame to frame.
    """
    side = side_of(armature)
    channels: dict[str, Array] = {}
    for joint in range(len(JOINTS)):
        bone = armature.data.bones[bone_name(joint, side)]
        matrix = np.array(bone.matrix_local, dtype=float)
        rest = rotation.from_matrix(matrix[:3, :3])
        turned = rotation.multiply(rotation.multiply(rotation.conjugate(rest), rotations[:, joint].astype(float)), rest)
        path = f'pose.bones["{bone.name}"]'
        channels[f"{path}.rotation_quaternion"] = _from_identity(turned)
        if joint == 0:
            channels[f"{path}.location"] = (translation - matrix[:3, 3]) @ matrix[:3, :3]
    return channels


def _from_identity(q: Array) -> Array:
    """Continuous signs, the first frame on the identity's side."""
    q = rotation.continuous(rotation.normalize(q))
    return -q if len(q) and q[0, 0] < 0.0 else q


def hand_curves(armature: bpy.types.Object, clip: Clip, frames: Array) -> dict[Channel, Keys]:
    """Channels of one hand over a clip for `action.write_curves`; `frames` (T,) are the scene's frames of the clip's poses."""
    side = side_of(armature)
    curves: dict[Channel, Keys] = {}
    for path, values in pose_channels(armature, clip.rotation[:, side], clip.translation[:, side]).items():
        group = path.split('"')[1]
        for index in range(values.shape[1]):
            curves[(path, index, group)] = Keys(frames, values[:, index])
    return curves


def side_of(ob: bpy.types.Object) -> HandSide:
    """Whose hand a marked object is. Raises KeyError for any other."""
    return HandSide[str(ob[HAND]).upper()]
