# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own character: its armature's rest bones and skin as numbers, its bone map, and whether it can play."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..motion.bone_map import BoneMap, BoneNote, Rig, RigBone, ancestors, explain
from ..motion.bone_structure import by_structure
from ..motion.character_hand import CharacterHands, SideSkin, character_hands
from ..motion.map_files import by_names, load_map
from ..wire.errors import PianoHandsError
from ..wire.hands import FINGER_JOINTS, JOINTS, HandSide
from .armature import HAND
from .contact_posing import vertex_weights
from .contact_sampling import FINGERS

Array = NDArray[np.floating]

_EVEN = 1e-3  # share by which the scales of an object's axes may differ
_ALIKE = 0.03  # of a hand's length: bones whose heads are nearer than that lie on each other
_LOOKED_AT = 0.25  # weight of all joints of a hand from which a point counts as its skin


@dataclass(frozen=True)
class Placed:
    """How an armature stands in the world: turn (3, 3), place (3,) and one scale for all axes."""

    turn: Array
    place: Array
    scale: float


def placed(armature: bpy.types.Object) -> Placed:
    """Raises PianoHandsError('uneven-scale')."""
    place, turn, scale = armature.matrix_world.decompose()
    scale = np.array(scale)
    if scale.max() - scale.min() > _EVEN * abs(scale.max()) or scale.min() <= 0.0:
        raise PianoHandsError(
            "uneven-scale", f"{armature.name} is scaled unevenly or mirrored.", "Apply its scale (Ctrl+A in Object Mode)."
        )
    return Placed(np.array(turn.to_matrix()), np.array(place), float(scale.mean()))


def even_scale(armature: bpy.types.Object) -> bool:
    """Move an uneven scale of the object into its bones, so that turning a bone does not stretch it; returns whether there was one.

    What hangs on the armature stays where it is. Nothing moves at rest.
    """
    place, turn, scale = armature.matrix_world.decompose()
    if min(scale) <= 0.0 or max(scale) - min(scale) <= _EVEN * max(scale):
        return False
    one = (scale.x * scale.y * scale.z) ** (1.0 / 3.0)
    hanging = [(child, child.matrix_world.copy()) for child in armature.children]
    armature.data = armature.data.copy()
    armature.data.transform(Matrix.Diagonal([axis / one for axis in scale]).to_4x4())
    armature.matrix_world = Matrix.LocRotScale(place, turn, (one, one, one))
    bpy.context.view_layer.update()
    for child, matrix in hanging:
        child.matrix_parent_inverse = _above(child).inverted() @ matrix @ child.matrix_basis.inverted()
    bpy.context.view_layer.update()
    return True


def _above(child: bpy.types.Object) -> Matrix:
    """What moves an object from above: its parent, and the parent's bone where it hangs on one."""
    if child.parent_type != "BONE":
        return child.parent.matrix_world.copy()
    pose = child.parent.pose.bones[child.parent_bone]
    return child.parent.matrix_world @ pose.matrix @ Matrix.Translation((0.0, pose.length, 0.0))


def read_rig(armature: bpy.types.Object, *, scale: float = 1.0) -> Rig:
    """Bones at rest in the armature's space, lengths times `scale`."""
    return {
        bone.name: RigBone(
            bone.name,
            bone.parent.name if bone.parent else None,
            np.array(bone.head_local) * scale,
            np.array(bone.tail_local) * scale,
        )
        for bone in armature.data.bones
    }


def find_map(armature: bpy.types.Object, own: Path | None = None) -> BoneMap:
    """The person's own map, or the best by names, or by structure. Raises PianoHandsError('no-hands', 'bad-map')."""
    rig = read_rig(armature)
    if own is not None:
        return load_map(own, list(rig))
    named = by_names(list(rig))
    if named is not None and named.complete and not any(note.stops for note in explain(named, rig)):
        return named
    up = np.array(armature.matrix_world.to_quaternion().inverted() @ Matrix.Identity(3).col[2])
    shaped = by_structure(rig, up=up, deforming=_deforming(armature))
    if shaped is not None and shaped.complete:
        return shaped
    if named is not None:
        return named
    raise PianoHandsError(
        "no-hands",
        f"No hands were found in {armature.name}: neither known bone names, nor two bones with four or five chains of fingers.",
        "Choose the armature whose bones bend the fingers, or give a map of its bones.",
    )


def _deforming(armature: bpy.types.Object) -> list[str]:
    bones = [bone.name for bone in armature.data.bones if bone.use_deform]
    return bones or [bone.name for bone in armature.data.bones]


def problems(armature: bpy.types.Object, bone_map: BoneMap) -> list[BoneNote]:
    """What is wrong with a map on this armature, bone by bone."""
    notes = explain(bone_map, read_rig(armature))
    for side in HandSide:
        for part, name in bone_map.parts[side].items():
            pose = armature.pose.bones.get(name)
            if pose is None or part not in JOINTS or (part == "wrist" and bone_map.ik[side].hand):
                continue
            bound = [c.name for c in pose.constraints if c.enabled and c.influence > 0.0 and c.type not in _HARMLESS]
            if bound:
                notes.append(BoneNote(side, part, name, f"the constraint {bound[0]} moves it, too: switch it off for the take"))
    return notes


_HARMLESS = {"LIMIT_ROTATION", "LIMIT_LOCATION", "LIMIT_SCALE", "MAINTAIN_VOLUME"}


def read_hands(armature: bpy.types.Object, bone_map: BoneMap) -> CharacterHands:
    """The character's hands in metres. Raises PianoHandsError('bad-map', 'uneven-scale')."""
    rig = read_rig(armature, scale=placed(armature).scale)
    stopping = [note for note in explain(bone_map, rig) if note.stops]
    if stopping:
        raise PianoHandsError(
            "bad-map", f"The bones of {armature.name} do not make two hands: {stopping[0]}.", "Mend the map, or give another one."
        )
    skins = read_skins(armature, bone_map, rig)
    return character_hands(bone_map, rig, skins, name=armature.name)


def skinned_meshes(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """Meshes that the armature bends."""
    return [
        ob
        for ob in bpy.data.objects
        if ob.type == "MESH" and any(m.type == "ARMATURE" and m.object == armature for m in ob.modifiers)
    ]


def joint_of_bones(names: Iterable[str], bone_map: BoneMap, rig: Rig) -> dict[str, tuple[HandSide, int]]:
    """Which joint each bone of the hands follows: its own part's, that of a bone on which it lies, or of the one it hangs on."""
    own = {
        bone: (side, JOINTS.index(part))
        for side in HandSide
        for part, bone in bone_map.parts[side].items()
        if part in JOINTS and bone in rig
    }
    size = max(float(np.linalg.norm(rig[a].head - rig[b].head)) for a in own for b in own if own[a][0] == own[b][0])
    found: dict[str, tuple[HandSide, int]] = {}
    for name in names:
        if name not in rig:
            continue
        lying = next((joint for bone, joint in own.items() if _lie_together(rig[name], rig[bone], _ALIKE * size)), None)
        hung = next((own[above] for above in [name, *ancestors(rig, name)] if above in own), None)
        joint = own.get(name) or lying or hung
        if joint is not None:
            found[name] = joint
    return found


def _lie_together(a: RigBone, b: RigBone, distance: float) -> bool:
    if np.linalg.norm(a.head - b.head) > distance:
        return False
    one, other = a.tail - a.head, b.tail - b.head
    return float(one @ other) > 0.8 * float(np.linalg.norm(one) * np.linalg.norm(other))


def read_skins(armature: bpy.types.Object, bone_map: BoneMap, rig: Rig) -> tuple[SideSkin | None, SideSkin | None]:
    """Right and left hand's skin at rest, as shape keys and modifiers leave it; None where no mesh is bound to the fingers."""
    points: list[list[Array]] = [[], []]
    weights: list[list[Array]] = [[], []]
    scale = placed(armature).scale
    with _at_rest(armature):
        depsgraph = bpy.context.evaluated_depsgraph_get()
        to_armature = np.array(armature.matrix_world.inverted())
        for ob in skinned_meshes(armature):
            places, follows = _mesh_points(ob.evaluated_get(depsgraph), bone_map, rig)
            to_rig = to_armature @ np.array(ob.matrix_world)
            places = (places @ to_rig[:3, :3].T + to_rig[:3, 3]) * scale
            for side in HandSide:
                mine = follows[:, side].sum(axis=1) > _LOOKED_AT
                points[side].append(places[mine])
                weights[side].append(follows[mine, side])
    right, left = (
        SideSkin(np.concatenate(points[side]), np.concatenate(weights[side])) if sum(map(len, points[side])) > 100 else None
        for side in HandSide
    )
    return right, left


def mark_meshes(armature: bpy.types.Object, bone_map: BoneMap) -> None:
    """Tell whoever measures which meshes are hands, and which of their bones are which fingers (see the scene contract)."""
    rig = read_rig(armature)
    for ob in skinned_meshes(armature):
        joints = joint_of_bones([group.name for group in ob.vertex_groups], bone_map, rig)
        told = {
            name: 5 * side + next(f for f, chain in enumerate(FINGER_JOINTS) if joint in chain)
            for name, (side, joint) in joints.items()
            if joint
        }
        if told:
            ob[HAND] = "both"
            ob[FINGERS] = told


class _at_rest:
    """The armature in its rest position meanwhile."""

    def __init__(self, armature: bpy.types.Object) -> None:
        self._data = armature.data
        self._before = armature.data.pose_position

    def __enter__(self) -> None:
        self._set("REST")

    def __exit__(self, *_: object) -> None:
        self._set(self._before)

    def _set(self, position: str) -> None:
        if self._data.pose_position != position:
            self._data.pose_position = position
            bpy.context.view_layer.update()


def _mesh_points(evaluated: bpy.types.Object, bone_map: BoneMap, rig: Rig) -> tuple[Array, Array]:
    """Vertices and face centres (P, 3) in the mesh's space, and how far each follows each joint (P, 2, 16)."""
    mesh = evaluated.data
    names = [group.name for group in evaluated.vertex_groups]
    count = len(mesh.vertices)
    co = np.empty(3 * count, dtype=np.float32)
    mesh.vertices.foreach_get("co", co)
    by_group = vertex_weights(mesh, len(names))
    total = by_group[:, [i for i, name in enumerate(names) if name in rig]].sum(axis=1)
    follows = np.zeros((count, 2, len(JOINTS)))
    for name, (side, joint) in joint_of_bones(names, bone_map, rig).items():
        follows[:, side, joint] += by_group[:, names.index(name)]
    follows /= np.maximum(total, 1e-6)[:, None, None]
    centres, centre_follows = _face_centres(mesh, co.reshape(-1, 3), follows)
    return np.concatenate([co.reshape(-1, 3), centres]).astype(float), np.concatenate([follows, centre_follows])


def _face_centres(mesh: bpy.types.Mesh, co: Array, follows: Array) -> tuple[Array, Array]:
    if not len(mesh.polygons):
        return np.zeros((0, 3)), np.zeros((0, *follows.shape[1:]))
    corner = np.empty(len(mesh.loops), dtype=np.int32)
    mesh.loops.foreach_get("vertex_index", corner)
    start = np.empty(len(mesh.polygons), dtype=np.int32)
    mesh.polygons.foreach_get("loop_start", start)
    counts = np.diff(np.append(start, len(corner)))
    centres = np.add.reduceat(co[corner], start, axis=0) / counts[:, None]
    # A face is as firmly on a joint as its loosest corner.
    return centres, np.minimum.reduceat(follows[corner], start, axis=0)
