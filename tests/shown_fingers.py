# SPDX-License-Identifier: GPL-3.0-or-later
"""For rigs without a skin: fingertips as the solve takes them to be, as a mesh bound to the last bones."""

import bpy
import numpy as np
from mathutils import Matrix

from s2c_blender.motion.character_hand import CharacterHands
from s2c_blender.scene.character import placed
from s2c_blender.wire.hands import FINGER_JOINTS, FINGERS, HandSide


def show(armature: bpy.types.Object, hands: CharacterHands) -> bpy.types.Object:
    """Small faces at every pad point, in the armature's rest, marked as both hands."""
    scale = placed(armature).scale
    vertices, faces, groups = [], [], {}
    for side in HandSide:
        for finger, chain in enumerate(FINGER_JOINTS):
            last = next(joint for joint in reversed(chain) if hands.bones[side][joint])
            offset = hands.skeleton.rest[side, chain[-1]] - hands.skeleton.rest[side, last]
            pads = hands.skeleton.pads[side, finger] + offset
            places = (pads @ hands.fit[side, last] + hands.joints[side, last]) / scale
            start = len(vertices)
            vertices.extend(places.tolist())
            faces.extend((start + i, start + (i + 1) % len(places), start + (i + 2) % len(places)) for i in range(len(places)))
            groups[(hands.bones[side][last], FINGERS[finger])] = np.arange(start, len(vertices))
    mesh = bpy.data.meshes.new("Fingertips")
    mesh.from_pydata(vertices, [], faces)
    ob = bpy.data.objects.new("Fingertips", mesh)
    bpy.context.scene.collection.objects.link(ob)
    for (bone, _), index in groups.items():
        ob.vertex_groups.new(name=bone).add(index.tolist(), 1.0, "REPLACE")
    ob.parent = armature
    ob.matrix_parent_inverse = Matrix()
    ob.modifiers.new("Armature", "ARMATURE").object = armature
    ob["s2c_hand"] = "both"
    bpy.context.view_layer.update()
    return ob
