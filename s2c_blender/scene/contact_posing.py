# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender does between F-curves and a skinned mesh, for many frames at once: curves, bones, linear blend skinning.

Covers plain cases only; whoever uses it compares with the evaluated scene.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion import rotation
from ..motion.contact_keys import Box, Cloud
from .action import curves_of

Array = NDArray[np.floating]
#: (T,) frames to (T, B, 4, 4) deforming bones' matrices in world space times the inverse of their rest.
PoseReader = Callable[[Array], Array]


class Points(Protocol):
    """Gathers (V, ...) of vertices into (P, ...) of the points looked at."""

    def gather(self, per_vertex: Array) -> Array: ...


@dataclass(frozen=True)
class Skin:
    """Linear blend skinning as sums of matrices times vectors.

    coefficients: for each deforming bone the points it moves (n,) and (n, 4): the points' rest positions in the mover's
    space, homogeneous, times the weight. bones: their names. fixed: the same for points that no bone moves. mover: the
    armature, or the mesh itself if none bends it.
    """

    mover: str
    bones: tuple[str, ...]
    count: int
    coefficients: tuple[tuple[NDArray[np.intp], Array], ...]
    fixed: tuple[NDArray[np.intp], Array]

    @property
    def bone_count(self) -> int:
        """Deforming bones, and one for points that no bone moves: the mover's own matrix."""
        return len(self.bones) + 1

    def deform(self, matrices: Array, rows: NDArray[np.intp] | None = None) -> Array:
        """(T, B + 1, 4, 4) to points (T, P, 3) in world space, or only the points `rows`."""
        rows = np.arange(self.count) if rows is None else rows
        return np.stack([self._coordinate(matrices, axis, rows) for axis in range(3)], axis=2).swapaxes(0, 1)

    def near(self, matrices: Array, box: Box) -> Cloud:
        """The points that come into the box. Heights first: most of a hand is always above the keys."""
        rows = self._below(matrices, float(box.highest[2]))
        z = self._coordinate(matrices, 2, rows)
        low = (z > box.lowest[2]) & (z < box.highest[2])
        ever = np.flatnonzero(low.any(axis=1))
        point, sample = np.nonzero(low[ever])
        rows = rows[ever]
        place = [self._coordinate(matrices, axis, rows)[point, sample] for axis in range(2)]
        return Cloud(sample, rows[point], np.stack([*place, z[ever][point, sample]], axis=1)).within(box)

    def _below(self, matrices: Array, height: float) -> NDArray[np.intp]:
        """Points that may come below a height: a point is nowhere lower than the lowest of its bones alone would take it."""
        may = np.zeros(self.count, dtype=bool)
        for bone, (index, coefficient) in enumerate((*self.coefficients, self.fixed)):
            if len(index):
                rest = coefficient / coefficient[:, 3:]
                middle = rest.mean(axis=0)
                radius = np.linalg.norm(rest - middle, axis=1).max()
                row = matrices[:, bone, 2]
                may[index] |= (row @ middle - radius * np.linalg.norm(row[:, :3], axis=1)).min() < height
        return np.flatnonzero(may)

    def _coordinate(self, matrices: Array, axis: int, rows: NDArray[np.intp]) -> Array:
        """(R, T) x, y or z of the points `rows`."""
        found = np.zeros((len(rows), len(matrices)), dtype=np.float32)
        place = np.full(self.count, -1)
        place[rows] = np.arange(len(rows))
        for bone, (index, coefficient) in enumerate((*self.coefficients, self.fixed)):
            at = place[index]
            found[at[at >= 0]] += coefficient[at >= 0] @ matrices[:, bone, axis].T.astype(np.float32)
        return found

    def read_bones(self, depsgraph: bpy.types.Depsgraph) -> Array:
        """(B + 1, 4, 4) from the evaluated mover."""
        mover = bpy.data.objects[self.mover].evaluated_get(depsgraph)
        world = np.array(mover.matrix_world)
        rest = [mover.data.bones[name].matrix_local for name in self.bones]
        bones = [np.array(mover.pose.bones[name].matrix @ m.inverted()) for name, m in zip(self.bones, rest, strict=True)]
        return world @ np.array([*bones, np.eye(4)])


def skin_of(ob: bpy.types.Object, points: Points) -> Skin | None:
    """The skinning of a mesh whose one modifier is an armature with vertex groups, or which has none; None for all others."""
    modifiers = [modifier for modifier in ob.modifiers if modifier.show_render]
    if ob.data.shape_keys or len(modifiers) > 1 or not all(_blends_linearly(modifier) for modifier in modifiers):
        return None
    mover = modifiers[0].object if modifiers else ob
    groups = {group.index: group.name for group in ob.vertex_groups}
    deforming = {bone.name for bone in mover.data.bones if bone.use_deform} if modifiers else set()
    weights = vertex_weights(ob.data, len(groups))
    columns = [i for i, name in groups.items() if name in deforming and weights[:, i].any()]
    weights = weights[:, columns]
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    to_mover = np.array(mover.matrix_world.inverted() @ ob.matrix_world)
    co = np.empty(len(ob.data.vertices) * 3, dtype=np.float32)
    ob.data.vertices.foreach_get("co", co)
    rest = np.concatenate([co.reshape(-1, 3), np.ones((len(co) // 3, 1))], axis=1) @ to_mover.T
    parts = [points.gather(weights[:, i, None] * rest) for i in range(len(columns))]
    unmoved = points.gather(np.where(total > 0, 0.0, 1.0) * rest)
    sparse = [_sparse(part) for part in (*parts, unmoved)]
    names = tuple(groups[i] for i in columns)
    return Skin(mover.name, names, len(unmoved), tuple(sparse[:-1]), sparse[-1])


def _blends_linearly(modifier: bpy.types.Modifier) -> bool:
    if modifier.type != "ARMATURE" or modifier.object is None or modifier.vertex_group:
        return False
    return modifier.use_vertex_groups and not modifier.use_bone_envelopes and not modifier.use_deform_preserve_volume


def _sparse(part: Array) -> tuple[NDArray[np.intp], Array]:
    index = np.flatnonzero(part[:, 3] > 1e-7)
    return index, part[index].astype(np.float32)


def vertex_weights(mesh: bpy.types.Mesh, groups: int) -> Array:
    """(V, groups) of a mesh's vertex group weights."""
    weights = np.zeros((len(mesh.vertices), groups), dtype=np.float32)
    for vertex in mesh.vertices:
        for element in vertex.groups:
            weights[vertex.index, element.group] = element.weight
    return weights


def _plain_curves(ob: bpy.types.Object) -> dict[tuple[str, int], bpy.types.FCurve] | None:
    """The object's F-curves by (data path, index); None where drivers or NLA tracks take part."""
    data = ob.animation_data
    if data is not None and (data.drivers or data.nla_tracks):
        return None
    return {(curve.data_path, curve.array_index): curve for curve in curves_of(ob) if not curve.mute}


def _values(curves: dict, path: str, fallback: object, frames: list[float]) -> Array:
    """(T, n) of a vector property: F-curves where it has some, else its value."""
    columns = []
    for i, value in enumerate(fallback):
        curve = curves.get((path, i))
        columns.append([value] * len(frames) if curve is None else list(map(curve.evaluate, frames)))
    return np.array(columns, dtype=float).T


def _local(owner: bpy.types.Object | bpy.types.PoseBone, curves: dict, prefix: str, frames: list[float]) -> Array:
    """(T, 4, 4) of location, rotation (not about a free axis) and scale."""
    if owner.rotation_mode == "QUATERNION":
        quaternion = rotation.normalize(_values(curves, prefix + "rotation_quaternion", owner.rotation_quaternion, frames))
    else:
        angles = _values(curves, prefix + "rotation_euler", owner.rotation_euler, frames)
        quaternion = np.broadcast_to(rotation.IDENTITY, (len(frames), 4))
        turning = ["XYZ".index(axis) for axis in owner.rotation_mode if angles[:, "XYZ".index(axis)].any()]
        for i in turning:  # the first named turns first
            quaternion = rotation.multiply(rotation.from_axis_angle(angles[:, i, None] * np.eye(3)[i]), quaternion)
    matrices = np.zeros((len(frames), 4, 4))
    scale = _values(curves, prefix + "scale", owner.scale, frames)
    matrices[:, :3, :3] = rotation.to_matrix(quaternion) * scale[:, None, :]
    matrices[:, :3, 3] = _values(curves, prefix + "location", owner.location, frames)
    matrices[:, 3, 3] = 1.0
    return matrices


def object_matrices(objects: list[bpy.types.Object], frames: Array) -> Array | None:
    """World matrices (T, N, 4, 4) of objects without parents, from their F-curves; None if something else moves one."""
    matrices = np.empty((len(frames), len(objects), 4, 4))
    listed = [float(frame) for frame in frames]
    for i, ob in enumerate(objects):
        curves = _plain_curves(ob)
        if curves is None or ob.parent or ob.constraints or ob.rotation_mode == "AXIS_ANGLE":
            return None
        matrices[:, i] = _local(ob, curves, "", listed if curves else listed[:1])
    return matrices


def pose_reader(skin: Skin) -> PoseReader | None:
    """Poses of the skin's mover from its F-curves; None if constraints, drivers or unusual inheritance take part."""
    mover = bpy.data.objects[skin.mover]
    curves = _plain_curves(mover)
    if curves is None or mover.constraints or (_moves(curves) and object_matrices([mover], np.zeros(1)) is None):
        return None
    needed: list[str] = []
    for name in skin.bones:
        _add_with_parents(mover.pose.bones[name], needed)
    if not all(_plain(mover.pose.bones[name]) for name in needed):
        return None

    def read(frames: Array) -> Array:
        return _pose(bpy.data.objects[skin.mover], needed, skin.bones, frames)

    return read


def bones_over_time(scene: bpy.types.Scene, armature: bpy.types.Object, names: list[str], frames: Array) -> Array:
    """(T, N, 4, 4) bones' matrices in world space times the inverse of their rest; T = 1 where nothing moves them.

    Read from F-curves where that gives what Blender does, else frame by frame.
    """
    needed: list[str] = []
    for name in names:
        _add_with_parents(armature.pose.bones[name], needed)
    curves = _plain_curves(armature)
    if curves is not None and not armature.constraints and all(_plain(armature.pose.bones[name]) for name in needed):
        moved = any(path.startswith(f"{armature.pose.bones[name].path_from_id()}.") for path, _ in curves for name in needed)
        return _pose(armature, needed, tuple(names), frames if moved else frames[:1])[:, :-1]
    data = armature.animation_data
    if data is None or (data.action is None and not data.nla_tracks):
        return _read_now(armature, names)[None]
    before, part = scene.frame_current, scene.frame_subframe
    try:
        # What is hidden moves only where the armature needs it.
        with hidden(ob for ob in scene.objects if ob != armature and not ob.hide_viewport):
            return np.stack([_read_at(scene, armature, names, float(frame)) for frame in frames])
    finally:
        scene.frame_set(before, subframe=part)


@contextmanager
def hidden(objects: Iterable[bpy.types.Object]) -> Iterator[None]:
    """Not shown in the viewport meanwhile."""
    chosen = list(objects)
    for ob in chosen:
        ob.hide_viewport = True
    try:
        yield
    finally:
        for ob in chosen:
            ob.hide_viewport = False


def _read_at(scene: bpy.types.Scene, armature: bpy.types.Object, names: list[str], frame: float) -> Array:
    scene.frame_set(int(np.floor(frame)), subframe=frame - float(np.floor(frame)))
    return _read_now(armature, names)


def _read_now(armature: bpy.types.Object, names: list[str]) -> Array:
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    rest = [armature.data.bones[name].matrix_local.inverted() for name in names]
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].matrix @ m for name, m in zip(names, rest, strict=True)])


def _moves(curves: dict) -> bool:
    """Whether they move the object itself."""
    return any(path in ("location", "rotation_euler", "rotation_quaternion", "scale") for path, _ in curves)


def _plain(pose: bpy.types.PoseBone) -> bool:
    bone = pose.bone
    inherits = bone.use_inherit_rotation and bone.inherit_scale == "FULL" and bone.use_local_location
    return inherits and not pose.constraints and pose.rotation_mode != "AXIS_ANGLE"


def _add_with_parents(bone: bpy.types.PoseBone, names: list[str]) -> None:
    if bone.name not in names:
        if bone.parent:
            _add_with_parents(bone.parent, names)
        names.append(bone.name)


def _pose(mover: bpy.types.Object, needed: list[str], wanted: tuple[str, ...], frames: Array) -> Array:
    curves = _plain_curves(mover) or {}
    listed = [float(frame) for frame in frames]
    posed: dict[str, Array] = {}
    for name in needed:
        pose, bone = mover.pose.bones[name], mover.data.bones[name]
        local = _local(pose, curves, pose.path_from_id() + ".", listed)
        if bone.use_connect:
            local[:, :3, 3] = 0.0
        rest = bone.parent.matrix_local.inverted() @ bone.matrix_local if bone.parent else bone.matrix_local
        posed[name] = np.array(rest) @ local
        if bone.parent:
            posed[name] = posed[bone.parent.name] @ posed[name]
    own = object_matrices([mover], frames) if _moves(curves) else None
    world = np.broadcast_to(np.array(mover.matrix_world), (len(frames), 4, 4)) if own is None else own[:, 0]
    bones = [posed[name] @ np.array(mover.data.bones[name].matrix_local.inverted()) for name in wanted]
    return np.stack([world @ bone for bone in (*bones, np.broadcast_to(np.eye(4), world.shape))], axis=1)
