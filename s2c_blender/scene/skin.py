# SPDX-License-Identifier: GPL-3.0-or-later
"""How hands look: materials of skin, nails and sleeves, and where the blood shows through the skin."""

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion.hand_rig import HandRig
from ..wire.hands import FINGER_JOINTS
from .marks import is_ours, mark

Array = NDArray[np.floating]

FLUSH = "s2c_flush"  # point attribute: 0 pale, 1 rosy
CREASE = "s2c_crease"  # point attribute: 0 smooth, 1 wrinkled

_PALE, _ROSY, _DEEP = (0.62, 0.365, 0.255), (0.60, 0.25, 0.175), (0.50, 0.265, 0.175)
_NAIL, _NAIL_EDGE = (0.66, 0.37, 0.30), (0.78, 0.66, 0.57)
_PLAIN_SKIN, _PLAIN_NAIL = (0.86, 0.585, 0.455), (0.93, 0.70, 0.61)  # lighter: the Workbench's lamps are dim
_CLOTH = {"Hand Cuff": ((0.74, 0.74, 0.72), (0.90, 0.90, 0.88)), "Hand Sleeve": ((0.020, 0.024, 0.040), (0.085, 0.095, 0.14))}
_BLOOD = (1.0, 0.30, 0.15)  # how far red, green and blue light wander under the skin, as shares of the scale
_DEPTH = 0.004  # metres


Colour = bpy.types.NodeSocket | tuple[float, float, float]


def flush(rig: HandRig) -> Array:
    """(N,) rosiness of the skin: fingertips, knuckles and the palm's cushions; on nails the free edge is pale (0)."""
    value = np.zeros(len(rig.vertices))
    for finger, chain in enumerate(FINGER_JOINTS):
        value = np.maximum(value, _near(rig.vertices, rig.tips[finger], 0.014))
        for joint in chain[0 if finger else 1 :]:
            value = np.maximum(value, 0.55 * _near(rig.vertices, rig.rest[joint], 0.016))
    heel, cushion = np.array([[0.018, 0.025, -0.022], [-0.028, 0.04, -0.025]])
    value = np.maximum(value, 0.5 * np.maximum(_near(rig.vertices, heel, 0.03), _near(rig.vertices, cushion, 0.03)))
    for finger, nail in enumerate(_nail_vertices(rig)):
        along = rig.tips[finger] - rig.rest[FINGER_JOINTS[finger][-1]]
        reach = rig.vertices[nail] @ (along / np.linalg.norm(along))
        value[nail] = np.where(reach > reach.max() - 0.0016, 0.0, 1.0)
    return value


def crease(rig: HandRig) -> Array:
    """(N,) how wrinkled the skin is: over the backs of the fingers' joints, a little on the thumb's."""
    value = np.zeros(len(rig.vertices))
    for finger, chain in enumerate(FINGER_JOINTS):
        for joint, share in zip(chain[1:], (1.0, 0.6), strict=True):
            back = rig.rest[joint] + 0.9 * rig.radius[joint] * rig.nails[finger]
            value = np.maximum(value, share * (0.5 if finger == 0 else 1.0) * _near(rig.vertices, back, 0.0075))
    return value


def _near(points: Array, place: Array, distance: float) -> Array:
    return np.exp(-(((points - place) ** 2).sum(1)) / (distance * distance))


def _nail_vertices(rig: HandRig) -> list[NDArray[np.intp]]:
    """Vertices of each finger's nail."""
    vertices = np.unique(rig.quads[rig.zone == 1])
    nearest = np.argmin(np.linalg.norm(rig.vertices[vertices, None] - rig.tips, axis=2), axis=1)
    return [vertices[nearest == finger] for finger in range(5)]


def skin_material() -> bpy.types.Material:
    """The hands' skin, made on first use; one that the person has altered stays as it is."""
    found = _existing("Hand Skin")
    if found is not None:
        return found
    made, tree, shader = _new("Hand Skin", _PLAIN_SKIN, 0.5)
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]  # of the hand at rest: it stays on the skin
    blotches, pores = _noise(tree, place, 9.0, 3.0), _noise(tree, place, 220.0, 2.0)
    flushed = _mix(tree, _attribute(tree, FLUSH), _PALE, _ROSY)
    colour = _mix(tree, _ramp(tree, blotches, 0.35, 0.75, 0.35), flushed, _DEEP)
    tree.links.new(colour, shader.inputs["Base Color"])
    tree.links.new(_ramp(tree, pores, 0.2, 0.8, 0.16, 0.40), shader.inputs["Roughness"])
    fine = _bump(tree, pores, 0.22, 0.0006)
    folds = _bump(tree, _product(tree, _wave(tree, place), _attribute(tree, CREASE)), 0.45, 0.0008)
    tree.links.new(fine.outputs["Normal"], folds.inputs["Normal"])
    tree.links.new(folds.outputs["Normal"], shader.inputs["Normal"])
    shader.inputs["Subsurface Weight"].default_value = 0.55
    shader.inputs["Subsurface Radius"].default_value = _BLOOD
    shader.inputs["Subsurface Scale"].default_value = _DEPTH
    shader.inputs["Specular IOR Level"].default_value = 0.42
    return made


def nail_material() -> bpy.types.Material:
    """The nails, made on first use; one that the person has altered stays as it is."""
    found = _existing("Hand Nail")
    if found is not None:
        return found
    made, tree, shader = _new("Hand Nail", _PLAIN_NAIL, 0.3)
    tree.links.new(_mix(tree, _attribute(tree, FLUSH), _NAIL_EDGE, _NAIL), shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.30
    shader.inputs["Coat Weight"].default_value = 0.25
    shader.inputs["Subsurface Weight"].default_value = 0.35
    shader.inputs["Subsurface Radius"].default_value = _BLOOD
    shader.inputs["Subsurface Scale"].default_value = 0.5 * _DEPTH
    return made


def cloth_material(name: str) -> bpy.types.Material:
    """Cloth of cuffs or sleeves, made on first use; one that the person has altered stays as it is."""
    found = _existing(name)
    if found is not None:
        return found
    colour, plain = _CLOTH[name]
    made, _, shader = _new(name, plain, 0.85)
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.85
    shader.inputs["Sheen Weight"].default_value = 0.08
    return made


def _existing(name: str) -> bpy.types.Material | None:
    return next((m for m in bpy.data.materials if is_ours(m) and m.get("s2c_name") == name), None)


def _new(
    name: str, plain: tuple[float, float, float], roughness: float
) -> tuple[bpy.types.Material, bpy.types.ShaderNodeTree, bpy.types.Node]:
    made = mark(bpy.data.materials.new(name))
    made["s2c_name"] = name
    if made.node_tree is None:  # Blender 4.5; later ones have the tree from the start
        made.use_nodes = True
    made.diffuse_color = (*plain, 1.0)
    made.roughness = roughness
    return made, made.node_tree, made.node_tree.nodes["Principled BSDF"]


def _attribute(tree: bpy.types.ShaderNodeTree, name: str) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node.outputs["Fac"]


def _noise(tree: bpy.types.ShaderNodeTree, place: bpy.types.NodeSocket, scale: float, detail: float) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeTexNoise")
    node.inputs["Scale"].default_value = scale
    node.inputs["Detail"].default_value = detail
    tree.links.new(place, node.inputs["Vector"])
    return node.outputs["Fac"]


def _wave(tree: bpy.types.ShaderNodeTree, place: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Uneven lines across the fingers, about 2 mm apart."""
    node = tree.nodes.new("ShaderNodeTexWave")
    node.bands_direction = "Y"
    for name, value in (("Scale", 40.0), ("Distortion", 3.0), ("Detail", 2.0), ("Detail Scale", 1.4)):
        node.inputs[name].default_value = value
    tree.links.new(place, node.inputs["Vector"])
    return node.outputs["Fac"]


def _product(tree: bpy.types.ShaderNodeTree, a: bpy.types.NodeSocket, b: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = "MULTIPLY"
    tree.links.new(a, node.inputs[0])
    tree.links.new(b, node.inputs[1])
    return node.outputs[0]


def _bump(
    tree: bpy.types.ShaderNodeTree, height: bpy.types.NodeSocket, strength: float, distance: float
) -> bpy.types.ShaderNodeBump:
    node = tree.nodes.new("ShaderNodeBump")
    node.inputs["Strength"].default_value = strength
    node.inputs["Distance"].default_value = distance
    tree.links.new(height, node.inputs["Height"])
    return node


def _ramp(
    tree: bpy.types.ShaderNodeTree, value: bpy.types.NodeSocket, low: float, high: float, rise: float, floor: float = 0.0
) -> bpy.types.NodeSocket:
    """`value` between low and high, stretched to floor ... floor + rise."""
    node = tree.nodes.new("ShaderNodeMapRange")
    for name, number in (("From Min", low), ("From Max", high), ("To Min", floor), ("To Max", floor + rise)):
        node.inputs[name].default_value = number
    tree.links.new(value, node.inputs["Value"])
    return node.outputs["Result"]


def _mix(tree: bpy.types.ShaderNodeTree, share: bpy.types.NodeSocket, a: Colour, b: Colour) -> bpy.types.NodeSocket:
    """A colour between a and b (sockets or linear colours)."""
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    tree.links.new(share, node.inputs["Factor"])
    for socket, colour in zip([s for s in node.inputs if s.type == "RGBA"], (a, b), strict=True):
        if isinstance(colour, tuple):
            socket.default_value = (*colour, 1.0)
        else:
            tree.links.new(colour, socket)
    return next(s for s in node.outputs if s.type == "RGBA")
