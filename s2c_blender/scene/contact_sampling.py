# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hands and keys of a scene are at any (sub-)frame: read from evaluated meshes, or computed from F-curves where that
gives the same. Changes nothing in the scene that is not put back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion.contact_body import Surface
from ..motion.contact_fingers import finger_of_bone, finger_of_point
from ..motion.contact_keys import Box, Cloud
from ..motion.contact_scores import OTHER_PART
from ..wire.errors import PianoHandsError
from ..wire.hands import HandSide
from .contact_posing import PoseReader, Skin, hidden, object_matrices, pose_reader, skin_of, vertex_weights

Array = NDArray[np.floating]

FINGERS = "s2c_fingers"  # custom property of a hand's mesh: fingers by bone (5 * hand + finger), where names do not tell
TOLERANCE = 5e-5  # metres: how closely the computed points must agree with the evaluated mesh
_CHECKED = 6  # moments at which the ways of reading are compared


@dataclass(frozen=True)
class HandPoints:
    """What never changes about a hand mesh: which points are looked at.

    used: (U,) vertices that belong to faces. corner_vertex: (C,) vertex of each face corner; face_start: (F,) first corner.
    The points are the used vertices, then the face centres: P = U + F.
    finger: (P,) as in `Press`. surface: the faces, with the points as corners.
    """

    used: NDArray[np.intp]
    corner_vertex: NDArray[np.intp]
    face_start: NDArray[np.intp]
    finger: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    surface: Surface | None = None

    @property
    def count(self) -> int:
        return len(self.used) + len(self.face_start)

    def gather(self, per_vertex: Array) -> Array:
        """(V, ...) of the vertices to (P, ...) of the points; a face centre is the mean of its corners."""
        corners = np.diff(np.append(self.face_start, len(self.corner_vertex)))
        sums = np.add.reduceat(per_vertex[self.corner_vertex], self.face_start, axis=0)
        centres = sums / corners.reshape(-1, *(1,) * (per_vertex.ndim - 1))
        return np.concatenate([per_vertex[self.used], centres.astype(per_vertex.dtype)])


def hand_meshes(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Meshes with `s2c_hand` that render."""
    return [ob for ob in _rendered(scene) if ob.type == "MESH" and ob.get("s2c_hand") in ("right", "left", "both")]


def key_objects(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The piano's keys, lowest first."""
    keys = [ob for ob in scene.objects if ob.type == "MESH" and "midi_pitch" in ob]
    return sorted(keys, key=_pitch)


def _pitch(key: bpy.types.Object) -> int:
    return int(key["midi_pitch"])


def _rendered(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    found: dict[str, bpy.types.Object] = {}
    layers = [scene.view_layers[0].layer_collection]
    while layers:
        layer = layers.pop()
        if layer.exclude or layer.collection.hide_render:
            continue
        found.update((ob.name, ob) for ob in layer.collection.objects if not ob.hide_render)
        layers.extend(layer.children)
    return [found[name] for name in sorted(found)]


@contextmanager
def as_rendered(scene: bpy.types.Scene, objects: list[bpy.types.Object]) -> Iterator[None]:
    """Let the viewport's evaluation of the objects be the render's, and put frame and switches back afterwards."""
    undo: list[Callable[[], None]] = []

    def change(owner: object, name: str, value: object) -> None:
        before = getattr(owner, name)
        if before != value:
            setattr(owner, name, value)
            undo.append(lambda: setattr(owner, name, before))

    frame, subframe = scene.frame_current, scene.frame_subframe
    try:
        for ob in objects:
            change(ob, "hide_viewport", False)
            if ob.hide_get(view_layer=scene.view_layers[0]):
                ob.hide_set(False, view_layer=scene.view_layers[0])
                undo.append(partial(ob.hide_set, True, view_layer=scene.view_layers[0]))
            for modifier in ob.modifiers:
                change(modifier, "show_viewport", modifier.show_render)
                if modifier.type == "SUBSURF":
                    change(modifier, "levels", modifier.render_levels)
        yield
    finally:
        for step in reversed(undo):
            step()
        scene.frame_set(frame, subframe=subframe)


class SceneSampler:
    """Points of all hand meshes and matrices of all keys of one scene, at times of your choice.

    Use inside `as_rendered`. How each part is read is decided once: from F-curves if that agrees with the evaluated scene at
    some moments drawn between `first` and `last` (seconds), else moment by moment.
    """

    def __init__(self, scene: bpy.types.Scene, *, first: float, last: float) -> None:
        self.scene = scene
        self.start_frame = float(scene["s2c_start_frame"])
        self.fps = scene.render.fps / scene.render.fps_base
        self.hands = hand_meshes(scene)
        self.keys = key_objects(scene)
        if not self.hands or not self.keys:
            missing = "hand mesh that renders (property s2c_hand)" if self.keys else "piano key (property midi_pitch)"
            raise PianoHandsError("bad-scene", f"The scene has no {missing}.", "Measure a scene made by Generate.")
        self._go(self._frames(np.array([first]))[0])
        self.points = [_hand_points(self._evaluated(ob)) for ob in self.hands]
        self._skins: list[Skin | None] = [skin_of(ob, points) for ob, points in zip(self.hands, self.points, strict=True)]
        self._poses: list[PoseReader | None] = [skin and pose_reader(skin) for skin in self._skins]
        self._key_curves = True
        self._check(self._frames(np.sort(np.random.default_rng(0).uniform(first, last, _CHECKED))))

    @property
    def way(self) -> str:
        """How the scene is read, in words."""
        hands = {"curves" if pose else "bones" if skin else "meshes" for pose, skin in zip(self._poses, self._skins, strict=True)}
        return f"hands from {' and '.join(sorted(hands))}, keys from {'curves' if self._key_curves else 'objects'}"

    @property
    def finger(self) -> NDArray[np.intp]:
        """(P,) finger of each point, as in `Press`."""
        return np.concatenate([points.finger for points in self.points])

    @property
    def surface(self) -> Surface:
        """The faces of all hands, with the points of `points_at` as corners."""
        parts, first = [], 0
        for points in self.points:
            parts.append((points.surface.corners + first, points.surface.hand, points.surface.finger))
            first += points.count
        return Surface(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def points_at(self, times: Array) -> Array:
        """(T, P, 3) of all hands, one after another, in world space."""
        bones, points, _ = self._sample(times)
        made = [skin.deform(bone) if skin else read for skin, bone, read in zip(self._skins, bones, points, strict=True)]
        return np.concatenate(made, axis=1)

    def near(self, times: Array, box: Box) -> tuple[Cloud, Array]:
        """At times (T,): the hands' points that lie in the box, in world space, and the keys' matrices (T, K, 4, 4)."""
        bones, points, keys = self._sample(times)
        clouds, first = [], 0
        for skin, bone, read, still in zip(self._skins, bones, points, self.points, strict=True):
            cloud = skin.near(bone, box) if skin else Cloud.of(read).within(box)
            clouds.append(replace(cloud, point=cloud.point + first))
            first += still.count
        joined = (np.concatenate([getattr(cloud, name) for cloud in clouds]) for name in ("sample", "point", "place"))
        return Cloud(*joined), keys

    def _sample(self, times: Array) -> tuple[list, list, Array]:
        """For each hand its bones or its points, and the keys' matrices."""
        frames = self._frames(times)
        count = len(frames)
        bones = [skin and (pose(frames) if pose else np.empty((count, skin.bone_count, 4, 4))) for skin, pose in self._ways()]
        points = [None if skin else np.empty((count, p.count, 3)) for skin, p in zip(self._skins, self.points, strict=True)]
        keys = object_matrices(self.keys, frames) if self._key_curves else np.empty((count, len(self.keys), 4, 4))
        if not self._key_curves or not all(self._poses):
            # Meshes that are computed from bones need not be evaluated as well: half of the time.
            with hidden(ob for ob, skin in zip(self.hands, self._skins, strict=True) if skin):
                for i, frame in enumerate(frames):
                    self._go(float(frame))
                    self._read(i, bones, points, keys)
        return bones, points, keys

    def _ways(self) -> Iterator[tuple[Skin | None, PoseReader | None]]:
        return zip(self._skins, self._poses, strict=True)

    def _read(self, i: int, bones: list, points: list, keys: Array) -> None:
        """Read from the evaluated scene whatever is not computed."""
        for h, (skin, pose) in enumerate(self._ways()):
            if skin is None:
                points[h][i] = _read_points(self._evaluated(self.hands[h]), self.points[h])
            elif pose is None:
                bones[h][i] = skin.read_bones(self._depsgraph)
        if not self._key_curves:
            keys[i] = [self._evaluated(ob).matrix_world for ob in self.keys]

    def _check(self, frames: Array) -> None:
        """Fall back to slower reading where the faster disagrees with the evaluated scene."""
        truth = [np.empty((len(frames), p.count, 3)) for p in self.points]
        bones = [skin and np.empty((len(frames), skin.bone_count, 4, 4)) for skin in self._skins]
        keys = np.empty((len(frames), len(self.keys), 4, 4))
        for i, frame in enumerate(frames):
            self._go(float(frame))
            keys[i] = [self._evaluated(ob).matrix_world for ob in self.keys]
            for h, ob in enumerate(self.hands):
                truth[h][i] = _read_points(self._evaluated(ob), self.points[h])
                if self._skins[h]:
                    bones[h][i] = self._skins[h].read_bones(self._depsgraph)
        for h, (skin, pose) in enumerate(list(self._ways())):
            if skin is None:
                continue
            if not np.allclose(skin.deform(bones[h]), truth[h], rtol=0, atol=TOLERANCE):
                self._skins[h] = self._poses[h] = None
            elif pose and not np.allclose(skin.deform(pose(frames)), truth[h], rtol=0, atol=TOLERANCE):
                self._poses[h] = None
        computed = object_matrices(self.keys, frames)
        # A key is 0.22 m long from its balance line: an error of 2e-5 in its matrix is below 5e-6 m.
        self._key_curves = computed is not None and np.allclose(computed, keys, rtol=0, atol=2e-5)

    def _frames(self, times: Array) -> Array:
        return self.start_frame + times * self.fps

    def _go(self, frame: float) -> None:
        whole = int(np.floor(frame))
        self.scene.frame_set(whole, subframe=float(frame) - whole)

    @property
    def _depsgraph(self) -> bpy.types.Depsgraph:
        with bpy.context.temp_override(scene=self.scene, view_layer=self.scene.view_layers[0]):
            return bpy.context.evaluated_depsgraph_get()

    def _evaluated(self, ob: bpy.types.Object) -> bpy.types.Object:
        return ob.evaluated_get(self._depsgraph)

    def rest_keys(self) -> tuple[list[int], list[Array], Array]:
        """Pitches, world vertices (V, 3) and matrices (K, 4, 4) of the keys in the pre-roll, where all are at rest."""
        self._go(self._frames(np.array([-1.0]))[0])
        pitches, vertices, matrices = [], [], []
        for ob in self.keys:
            evaluated = self._evaluated(ob)
            matrix = np.array(evaluated.matrix_world)
            local = _vertices(evaluated.data)
            pitches.append(_pitch(ob))
            vertices.append(local @ matrix[:3, :3].T + matrix[:3, 3])
            matrices.append(matrix)
        return pitches, vertices, np.array(matrices)


def _vertices(mesh: bpy.types.Mesh) -> Array:
    buffer = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", buffer)
    return buffer.reshape(-1, 3)


def _hand_points(evaluated: bpy.types.Object) -> HandPoints:
    mesh = evaluated.data
    corner_vertex = np.empty(len(mesh.loops), dtype=np.int32)
    mesh.loops.foreach_get("vertex_index", corner_vertex)
    face_start = np.empty(len(mesh.polygons), dtype=np.int32)
    mesh.polygons.foreach_get("loop_start", face_start)
    if not len(face_start):
        raise PianoHandsError("bad-scene", f"The hand mesh {evaluated.name} has no faces.", "Measure a mesh with a surface.")
    points = HandPoints(np.unique(corner_vertex), corner_vertex.astype(np.intp), face_start.astype(np.intp))
    names = [group.name for group in evaluated.vertex_groups]
    side = str(evaluated.original["s2c_hand"])
    weights = points.gather(vertex_weights(mesh, len(names)))
    named = evaluated.original.get(FINGERS)
    told = {str(name): int(finger) for name, finger in named.items()} if named else None
    finger = finger_of_point(weights, names, side, told)
    return replace(points, finger=finger, surface=_surface(points, finger, _first_phalanx(evaluated, weights, names, told), side))


def _surface(points: HandPoints, finger: NDArray[np.intp], joined: NDArray[np.bool_], side: str) -> Surface:
    """`joined`: (P,) points of which no finger is told apart."""
    ends = np.append(points.face_start[1:], len(points.corner_vertex))
    # Four corners spread around each face; a triangle names its first twice.
    count = (ends - points.face_start)[:, None]
    corner = points.face_start[:, None] + np.arange(4) * np.maximum(count, 4) // 4 % count
    corners = np.searchsorted(points.used, points.corner_vertex[corner])
    centre = slice(len(points.used), None)
    told = finger[centre]
    hand = np.full(len(told), HandSide[side.upper()]) if side != "both" else np.where(told >= 0, told // 5, -1)
    return Surface(corners, hand, np.where(joined[centre] | (told < 0), -1, told))


def _first_phalanx(evaluated: bpy.types.Object, weights: Array, names: list[str], told: dict[str, int] | None) -> NDArray[np.bool_]:
    """(P,) whether a point's heaviest bone is the first of its finger; without an armature, none is."""
    armature = next((modifier.object for modifier in evaluated.modifiers if modifier.type == "ARMATURE"), None)
    if armature is None or not names:
        return np.zeros(len(weights), dtype=bool)
    bones = [armature.data.bones.get(name) for name in names]

    def finger(name: str) -> int:
        return finger_of_bone(name, "right") if told is None else told.get(name, OTHER_PART)

    digits = [None if bone is None else (finger(bone.name), bone.parent) for bone in bones]
    first = [d is None or d[1] is None or finger(d[1].name) != d[0] for d in digits]
    return np.array(first)[np.argmax(weights, axis=1)]


def _read_points(evaluated: bpy.types.Object, points: HandPoints) -> Array:
    mesh = evaluated.data
    if len(mesh.loops) != len(points.corner_vertex) or len(mesh.polygons) != len(points.face_start):
        raise PianoHandsError("bad-scene", f"The faces of {evaluated.name} change over time.", "Measure a mesh that only deforms.")
    matrix = np.array(evaluated.matrix_world)
    return points.gather(_vertices(mesh) @ matrix[:3, :3].T + matrix[:3, 3])
