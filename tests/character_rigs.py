# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters for tests: a skinned body with our hands, in the bones of any naming convention, rest pose, unit and proportion."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from s2c_blender.motion import rotation
from s2c_blender.motion.bone_map import TIPS
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig, skin
from s2c_blender.motion.map_files import read_convention
from s2c_blender.motion.skeleton import forward
from s2c_blender.wire.hands import FINGER_JOINTS, FINGERS, JOINTS, HandSide

MAPS = Path(__file__).parents[1] / "rigs" / "maps"


@dataclass(frozen=True)
class Make:
    """How a character is made. Angles in degrees, lengths in metres.

    hand: size of its hands against ours; fingers: length of the fingers beside that. arms: how far they hang (0: a T-pose).
    curl: of each finger joint at rest. tails: "child" (to the next joint) or "loose" (all one way, as imported from FBX).
    roll: of the bones, at random. unit: metres of a unit of the armature; stretch: of the object's axes beside that.
    y_up: bones lie in a space whose up is y, and the object is turned. prefix: before each name. skinned: with a mesh.
    """

    convention: str
    hand: float = 1.0
    fingers: float = 1.0
    arms: float = 0.0
    curl: float = 6.0
    tails: str = "child"
    roll: float = 0.0
    unit: float = 1.0
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    y_up: bool = False
    prefix: str = ""
    body: float = 1.0
    skinned: bool = True
    without: frozenset[str] = field(default_factory=frozenset)  # parts
    turned: float = 0.0  # of the object about z
    head: float = 1.0  # its size
    cloth: tuple[float, float, float] = (0.05, 0.08, 0.16)


_BODY = {
    "hips": (0.0, 0.0, 0.96),
    "neck": (0.0, 0.01, 1.47),
    "head": (0.0, 0.0, 1.55),
    "head_end": (0.0, 0.0, 1.75),
    "clavicle": (-0.03, 0.0, 1.42),
    "upper_arm": (-0.175, 0.01, 1.41),
    "forearm": (-0.455, 0.02, 1.41),
    "wrist": (-0.715, 0.005, 1.41),
    "thigh": (-0.09, 0.0, 0.92),
    "shin": (-0.10, -0.01, 0.50),
    "foot": (-0.10, 0.02, 0.08),
    "foot_end": (-0.10, -0.13, 0.02),
}
# From the keyboard frame of a flat right hand to a right hand in T-pose: fingers to -x, palm down, thumb ahead (-y).
_OUTWARDS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_MIRROR = np.array([-1.0, 1.0, 1.0])


def build(make: Make, name: str = "Character") -> bpy.types.Object:
    """The armature, with its mesh as a child, linked into the scene."""
    joints, ends = _joints(make)
    names = _names(make)
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    to_bones = _to_bones(make)
    _bones(
        armature, make, names, {part: to_bones(place) for part, place in joints.items()}, {p: to_bones(e) for p, e in ends.items()}
    )
    armature.matrix_world = _world(make)
    if make.skinned:
        _clothe(armature, make, names, joints, ends)
    bpy.context.view_layer.update()
    return armature


def _world(make: Make) -> Matrix:
    turn = Matrix.Rotation(np.radians(make.turned), 4, "Z") @ (Matrix.Rotation(np.pi / 2, 4, "X") if make.y_up else Matrix())
    return turn @ Matrix.Diagonal((*(make.unit * axis for axis in make.stretch), 1.0))


def _to_bones(make: Make):
    inverse = np.array((Matrix.Rotation(np.radians(make.turned), 4, "Z").inverted() @ _world(make)).inverted())[:3, :3]
    return lambda place: np.asarray(place) @ inverse.T


def _rest_hand(make: Make):
    """Skeleton and pose of the right and left hand at rest, in the keyboard frame."""
    skeleton = hand_skeleton(load_hand_rig())
    pose = np.zeros((1, 2, 16, 3))
    for chain in FINGER_JOINTS:
        pose[:, :, chain] = skeleton.flexion[None][:, :, chain] * np.radians(make.curl)
    return skeleton, rotation.from_axis_angle(pose)


def _lowered(make: Make, side: HandSide, points: np.ndarray) -> np.ndarray:
    """Arms let down about the shoulder."""
    sign = -1.0 if side is HandSide.RIGHT else 1.0
    pivot = np.array(_BODY["upper_arm"]) * (1.0 if side is HandSide.RIGHT else _MIRROR)
    turn = np.array(Matrix.Rotation(np.radians(make.arms) * sign, 3, "Y"))
    return (points - pivot) @ turn.T + pivot


def _hand_places(make: Make, side: HandSide, points: np.ndarray) -> np.ndarray:
    """Points of a hand in the keyboard frame, wrist at the origin, to the body at rest."""
    outwards = _OUTWARDS if side is HandSide.RIGHT else np.diag(_MIRROR) @ _OUTWARDS @ np.diag(_MIRROR)
    wrist = np.array(_BODY["wrist"]) * (1.0 if side is HandSide.RIGHT else _MIRROR)
    return _lowered(make, side, points @ outwards.T * make.hand / make.body + wrist)


def _longer(make: Make, places: np.ndarray, side: HandSide) -> np.ndarray:
    """(16, 3) joints' displacements for fingers of another length."""
    moved = places.copy()
    for chain in FINGER_JOINTS:
        for before, joint in pairwise(chain):
            moved[joint] = moved[before] + (places[joint] - places[before]) * make.fingers
    return moved


def _joints(make: Make) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Where each part begins, by "part.R"; and where last bones end. Standing, looking to -y, metres."""
    skeleton, pose = _rest_hand(make)
    places, _ = forward(skeleton, pose, np.zeros((1, 2, 3)))
    turned = forward(skeleton, pose, np.zeros((1, 2, 3)))[1]
    joints: dict[str, np.ndarray] = {part: np.array(_BODY[part]) for part in ("hips", "neck", "head")}
    for number in range(5):
        joints[f"spine{number}"] = np.array([0.0, 0.0, 1.02 + 0.075 * number])
    ends = {"head": np.array(_BODY["head_end"])}
    for side in HandSide:
        mirror = 1.0 if side is HandSide.RIGHT else _MIRROR
        for part in ("clavicle", "thigh", "shin", "foot"):
            joints[part + side.suffix] = np.array(_BODY[part]) * mirror
        for part in ("upper_arm", "forearm"):
            joints[part + side.suffix] = _lowered(make, side, np.array(_BODY[part]) * mirror)
        ends["foot" + side.suffix] = np.array(_BODY["foot_end"]) * mirror
        flat = _longer(make, places[0, side], side)
        hand = _hand_places(make, side, flat)
        for joint, place in zip(JOINTS, hand, strict=True):
            joints[joint + side.suffix] = place
        for finger, (word, chain) in enumerate(zip(FINGERS, FINGER_JOINTS, strict=True)):
            last = chain[-1]
            along = rotation.rotate(turned[0, side, last], skeleton.tips[side, finger] - skeleton.rest[side, last]) * make.fingers
            ends[f"{word}3{side.suffix}"] = _hand_places(make, side, flat[last] + along)
            joints[f"{word}_tip{side.suffix}"] = ends[f"{word}3{side.suffix}"]
            if finger:
                joints[f"{word}0{side.suffix}"] = hand[0] + 0.18 * (hand[chain[0]] - hand[0])
    scaled = make.body
    return {part: place * scaled for part, place in joints.items()}, {part: place * scaled for part, place in ends.items()}


def _names(make: Make) -> dict[str, str]:
    """Bone names of all parts that the convention has, by "part.R"."""
    convention = read_convention(MAPS / f"{make.convention}.json")
    names = {part: options[0] for part, options in convention.centre.items()}
    names |= {f"spine{number}": name for number, name in enumerate(convention.spine)}
    for side in HandSide:
        names |= {part + side.suffix: options[0] for part, options in convention.parts[side].items()}
    return {part: make.prefix + name for part, name in names.items() if part.rpartition(".")[0] not in make.without}


def _parent(part: str, names: dict[str, str]) -> str | None:
    """The nearest part above that has a bone."""
    above: str | None = part
    while above is not None:
        above = _above(above, names)
        if above is None or above in names:
            return above
    return None


def _above(part: str, names: dict[str, str]) -> str | None:
    word, dot, suffix = part.rpartition(".")
    if not dot:
        spine = [f"spine{number}" for number in range(5)]
        order = ["hips", *spine, "neck", "head"]
        return order[order.index(part) - 1] if order.index(part) else None
    fixed = {"upper_arm": "clavicle", "forearm": "upper_arm", "wrist": "forearm", "shin": "thigh", "foot": "shin"}
    if word in fixed:
        return f"{fixed[word]}.{suffix}"
    if word == "thigh":
        return "hips"
    if word == "clavicle":
        return next((f"spine{number}" for number in reversed(range(5)) if f"spine{number}" in names), "hips")
    if word in TIPS:
        return f"{word[:-4]}3.{suffix}"
    digit, number = word[:-1], int(word[-1])
    if number == 0 or (number == 1 and digit == "thumb"):
        return f"wrist.{suffix}"
    return f"{digit}{number - 1}.{suffix}"


def _bones(armature: bpy.types.Object, make: Make, names: dict[str, str], joints: dict, ends: dict) -> None:
    generator = np.random.default_rng(0)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for part, name in names.items():
        bone = bones.new(name)
        bone.head = Vector(joints[part])
        children = [other for other in names if other in joints and _parent(other, names) == part]
        following = next((other for other in children if _continues(part, other)), None)
        tail = joints[following] if following else ends.get(part)
        length = 0.04 / make.unit
        if make.tails == "loose":
            tail = np.asarray(joints[part]) + np.array([0.1, 0.3, 1.0]) * length
        elif tail is None or np.linalg.norm(tail - joints[part]) < 1e-4 / make.unit:
            tail = np.asarray(joints[part]) + np.array([0.0, 0.0, 0.5]) * length
        bone.tail = Vector(tail)
        bone.roll = float(generator.uniform(-1, 1) * np.radians(make.roll))
    for part, name in names.items():
        above = _parent(part, names)
        if above is not None:
            bones[name].parent = bones[names[above]]
    bpy.ops.object.mode_set(mode="OBJECT")


def _continues(part: str, other: str) -> bool:
    word, below = part.rpartition(".")[0] or part, other.rpartition(".")[0] or other
    if word == "wrist":
        return below == "middle1"
    if part == "hips":
        return other.startswith("spine")
    if part.startswith("spine"):
        return other.startswith(("spine", "neck"))
    return True


def _clothe(armature: bpy.types.Object, make: Make, names: dict[str, str], joints: dict, ends: dict) -> None:
    """One mesh: our hands' skin, and limbs of round sections."""
    vertices: list[np.ndarray] = []
    faces: list[tuple[int, ...]] = []
    weights: list[tuple[str, np.ndarray, np.ndarray]] = []
    material: list[int] = []

    def add(points: np.ndarray, polygons: np.ndarray, follow: dict[str, np.ndarray], look: int) -> None:
        start = sum(map(len, vertices))
        vertices.append(points)
        faces.extend(tuple(int(index) + start for index in polygon) for polygon in polygons)
        material.extend([look] * len(polygons))
        for part, share in follow.items():
            chosen = np.flatnonzero(share > 1e-4)
            weights.append((part, chosen + start, share[chosen]))

    for side in HandSide:
        points, quads, follow = _hand_mesh(make, names, side)
        shift = joints["wrist" + side.suffix] - _hand_places(make, side, np.zeros(3)) * make.body
        add(points + shift, quads, follow, 0)
    for part, begin, end, radii, look in _limbs(names, joints, ends):
        points, polygons = _tube(begin, end, *(radius * make.body for radius in radii))
        add(points, polygons, {part: np.ones(len(points))}, look)
    if "head" in names:
        points, polygons = _ball(
            joints["head"] + np.array([0.0, -0.012, 0.095]) * make.body, np.array([0.078, 0.1, 0.122]) * make.head
        )
        add(joints["head"] + (points - joints["head"]) * make.body, polygons, {"head": np.ones(len(points))}, 0)
    mesh = bpy.data.meshes.new(armature.name)
    mesh.from_pydata(np.concatenate(vertices).tolist(), [], faces)
    mesh.polygons.foreach_set("material_index", np.array(material, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    for look, colour in (("skin", (0.62, 0.36, 0.25)), ("cloth", make.cloth), ("dark", (0.03, 0.03, 0.035))):
        made = bpy.data.materials.new(f"{armature.name} {look}")
        made.diffuse_color = (*colour, 1.0)
        made.use_nodes = True
        made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1.0)
        mesh.materials.append(made)
    ob = bpy.data.objects.new(f"{armature.name} body", mesh)
    bpy.context.scene.collection.objects.link(ob)
    groups = {part: ob.vertex_groups.new(name=names[part]) for part in dict.fromkeys(part for part, _, _ in weights)}
    for part, chosen, share in weights:
        for index, value in zip(chosen.tolist(), share.tolist(), strict=True):
            groups[part].add((index,), value, "ADD")
    ob.parent = armature
    # Vertices are in the world's metres; the armature's own scale and turn must not change them.
    turn = Matrix.Rotation(np.radians(make.turned), 4, "Z")
    ob.matrix_parent_inverse = armature.matrix_world.inverted() @ turn
    ob.modifiers.new("Armature", "ARMATURE").object = armature


def _hand_mesh(make: Make, names: dict[str, str], side: HandSide) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rig = load_hand_rig()
    skeleton, pose = _rest_hand(make)
    at_rest = skin(rig, pose, np.zeros((1, 2, 3)))[0, side]
    scale = 0.22 / rig.span
    if make.fingers != 1.0:
        places, turned = forward(skeleton, pose, np.zeros((1, 2, 3)))
        moved = _longer(make, places[0, side], side)
        at_rest = np.zeros_like(at_rest)
        flat = rig.side_vertices(side) * scale
        for joint in range(16):
            own = rotation.rotate(turned[0, side, joint], flat - skeleton.rest[side, joint])
            chain = next((chain for chain in FINGER_JOINTS if joint in chain), None)
            if chain is not None:
                ends = [*(places[0, side, j] for j in chain)]
                ends.append(
                    places[0, side, chain[-1]]
                    + rotation.rotate(
                        turned[0, side, chain[-1]], skeleton.tips[side, FINGER_JOINTS.index(chain)] - skeleton.rest[side, chain[-1]]
                    )
                )
                along = ends[chain.index(joint) + 1] - ends[chain.index(joint)]
                along /= np.linalg.norm(along)
                own += (make.fingers - 1.0) * (own @ along)[:, None] * along
            at_rest += rig.weights[:, joint, None] * (moved[joint] + own)
    # The forearm's end of the hand hides in the sleeve.
    at_rest[:, [0, 2]] *= 1.0 - 0.5 * np.clip((-at_rest[:, 1:2] - 0.015) / 0.03, 0.0, 1.0)
    points = _hand_places(make, side, at_rest) * make.body
    quads = rig.quads if side is HandSide.RIGHT else rig.mirrored_quads
    follow: dict[str, np.ndarray] = {}
    for joint, word in enumerate(JOINTS):
        part = word + side.suffix
        while part not in names:  # a phalanx that is not there hangs on the one before
            part = _above(part, names)
        follow[part] = follow.get(part, 0.0) + rig.weights[:, joint]
    forearm, wrist = "forearm" + side.suffix, "wrist" + side.suffix
    if forearm in names:
        share = np.clip((-rig.vertices[:, 1] - 0.004) / 0.03, 0.0, 1.0) * follow[wrist]
        follow[forearm], follow[wrist] = share, follow[wrist] - share
    return points, quads, follow


def _limbs(names: dict[str, str], joints: dict, ends: dict):
    """(part, begin, end, (radius at both ends), look) of each tube."""
    for side in HandSide:
        s = side.suffix
        for part, end, radii, look in (
            ("upper_arm", "forearm", (0.055, 0.042), 1),
            ("forearm", "wrist", (0.044, 0.036), 1),
            ("thigh", "shin", (0.085, 0.055), 2),
            ("shin", "foot", (0.055, 0.04), 2),
            ("clavicle", "upper_arm", (0.06, 0.062), 1),
        ):
            begin = joints[part + s]
            if part == "clavicle":  # flesh lies over the shoulder, wherever in the chest the bone begins
                begin = np.array([begin[0], joints[end + s][1], joints[end + s][2]])
            if part + s in names:
                yield part + s, begin, joints[end + s], radii, look
        if "foot" + s in names:
            yield "foot" + s, joints["foot" + s], ends["foot" + s], (0.045, 0.035), 2
    if "hips" in names:
        yield "hips", joints["hips"], joints["spine0"], (0.135, 0.125), 2
    spine = [f"spine{number}" for number in range(5) if f"spine{number}" in names]
    for before, after in zip(spine, [*spine[1:], "neck"], strict=True):
        if after == "neck":
            yield before, joints[before], joints[after] - (0.0, 0.0, 0.045), (0.135, 0.1), 1
        else:
            yield before, joints[before], joints[after], (0.13, 0.135), 1
    if "neck" in names:
        yield "neck", joints["neck"], joints["head"], (0.052, 0.047), 0


def _ball(middle: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """An egg: narrower below, as heads are."""
    points, faces = _tube(np.array([0.0, 0.0, -1e-3]), np.array([0.0, 0.0, 1e-3]), 1.0, 1.0)
    points = points * (1.0 - 0.22 * np.minimum(points[:, 2:], 0.0) ** 2 * np.array([1.0, 1.0, 0.0]))
    return middle + points * radii, faces


def _tube(begin: np.ndarray, end: np.ndarray, first: float, last: float) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """A round limb with half balls at its ends."""
    along = end - begin
    length = float(np.linalg.norm(along))
    along = along / length
    aside = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [0.0, 1.0, 0.0])
    aside /= np.linalg.norm(aside)
    third = np.cross(along, aside)
    rings = [(-np.sin(a) * first, np.cos(a) * first) for a in np.radians((89, 75, 60, 45, 30, 15, 0))]
    rings += [(length + np.sin(a) * last, np.cos(a) * last) for a in np.radians((0, 15, 30, 45, 60, 75, 89))]
    around = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    points = np.concatenate(
        [
            begin + place * along + radius * (np.cos(around)[:, None] * aside + np.sin(around)[:, None] * third)
            for place, radius in rings
        ]
    )
    count = len(around)
    faces = [
        (ring * count + i, ring * count + (i + 1) % count, (ring + 1) * count + (i + 1) % count, (ring + 1) * count + i)
        for ring in range(len(rings) - 1)
        for i in range(count)
    ]
    return points, [*faces, tuple(range(count))[::-1], tuple(range((len(rings) - 1) * count, len(rings) * count))]
