# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hands in the scene: a skinned mesh and an armature each, and a clip on them."""

from dataclasses import dataclass

import bpy
import numpy as np

from ..motion.hand_rig import HandRig, hand_skeleton, load_hand_rig
from ..wire.clip import Clip
from ..wire.hands import JOINTS, HandSide
from .action import write_curves
from .armature import HAND, WAITING, bone_name, build_armature, hand_curves
from .marks import mark
from .skin import CREASE, FLUSH, crease, flush, nail_material, skin_material
from .sleeves import add_sleeve
from .timing import frame_at, rate

ACTION = "Hands"


@dataclass(frozen=True)
class HandObjects:
    """One hand's objects. Not to be kept: look them up again by their names."""

    side: HandSide
    armature: bpy.types.Object
    mesh: bpy.types.Object


def build_hands(collection: bpy.types.Collection, *, span: float = 0.22, sleeves: bool = True) -> tuple[HandObjects, HandObjects]:
    """Right and left hand of that span (metres, thumb tip to little fingertip), new, at rest, linked into `collection`.

    `sleeves` clothes the forearms' ends; they are objects of their own, without `s2c_hand`.
    """
    rig = load_hand_rig()
    skeleton = hand_skeleton(rig, span=span)
    scale = span / rig.span
    hands = []
    for side in HandSide:
        armature = build_armature(skeleton, side, collection=collection)
        hands.append(HandObjects(side, armature, _skinned(rig, armature, side, scale=scale)))
        collection.objects.link(hands[-1].mesh)
        if sleeves:
            add_sleeve(rig, armature, side, scale=scale, collection=collection)
    return hands[0], hands[1]


def _skinned(rig: HandRig, armature: bpy.types.Object, side: HandSide, *, scale: float) -> bpy.types.Object:
    mesh = mark(bpy.data.objects.new(f"Hand Skin{side.suffix}", skin_mesh(rig, side, scale=scale)))
    mesh[HAND] = side.word
    _weigh(mesh, rig, side)
    mesh.parent = armature
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    return mesh


def skin_mesh(rig: HandRig, side: HandSide, *, scale: float) -> bpy.types.Mesh:
    """One hand's skin where it waits, with UVs, materials for skin and nails, and where it is rosy and wrinkled."""
    left = side is HandSide.LEFT
    quads = rig.mirrored_quads if left else rig.quads
    uvs = rig.uvs[:, ::-1] if left else rig.uvs
    count, faces = len(rig.vertices), len(quads)
    mesh = mark(bpy.data.meshes.new(f"Hand Skin{side.suffix}"))
    mesh.vertices.add(count)
    mesh.loops.add(4 * faces)
    mesh.polygons.add(faces)
    mesh.vertices.foreach_set("co", (rig.side_vertices(side) * scale + WAITING[side]).astype(np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", quads.astype(np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 4 * faces, 4, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", rig.zone.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(faces, dtype=bool))
    mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", uvs.astype(np.float32).ravel())
    for name, values in ((FLUSH, flush(rig)), (CREASE, crease(rig))):
        mesh.attributes.new(name, "FLOAT", "POINT").data.foreach_set("value", values.astype(np.float32))
    for material in (skin_material(), nail_material()):
        mesh.materials.append(material)
    mesh.update(calc_edges=True)
    return mesh


def _weigh(ob: bpy.types.Object, rig: HandRig, side: HandSide) -> None:
    """Vertex groups named after the bones."""
    for joint in range(len(JOINTS)):
        group = ob.vertex_groups.new(name=bone_name(joint, side))
        for vertex in np.flatnonzero(rig.weights[:, joint]).tolist():
            group.add((vertex,), float(rig.weights[vertex, joint]), "REPLACE")


def animate_hands(scene: bpy.types.Scene, hands: tuple[HandObjects, HandObjects], clip: Clip) -> bpy.types.Action:
    """Put a clip on both hands, in one action with a slot for each; the scene's timing is set already."""
    frames = frame_at(scene, 0.0) + clip.times * rate(scene)
    right, left = (write_curves(hand.armature, ACTION, hand_curves(hand.armature, clip, frames)) for hand in hands)
    assert right == left  # one action, a slot for each armature
    return left
