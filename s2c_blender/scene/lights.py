# SPDX-License-Identifier: GPL-3.0-or-later
"""Light on hands and keys: a warm key from the bass side, a cool fill, a rim from behind, and a quiet world."""

from dataclasses import dataclass

import bpy
from mathutils import Vector

from .marks import is_ours, mark

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    place: Triple
    aim: Triple
    watts: float
    size: tuple[float, float]
    colour: Triple


_LAMPS = {
    "Light key": Lamp((-1.15, -0.75, 1.55), (0.0, 0.02, 0.0), 34.0, (0.9, 0.9), (1.0, 0.93, 0.84)),
    "Light fill": Lamp((1.7, -1.5, 1.1), (0.1, 0.0, 0.0), 15.0, (1.6, 1.2), (0.86, 0.92, 1.0)),
    "Light rim": Lamp((0.5, 1.5, 1.45), (0.0, 0.05, 0.0), 20.0, (1.8, 0.5), (1.0, 0.97, 0.93)),
}
_WORLD = (0.045, 0.048, 0.055)


def build_lights(scene: bpy.types.Scene, collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """Make the lamps and link them to `collection`; a world too, where the scene has none."""
    made = []
    for name, lamp in _LAMPS.items():
        data = mark(bpy.data.lights.new(name, type="AREA"))
        data.shape = "RECTANGLE"
        data.size, data.size_y = lamp.size
        data.energy, data.color = lamp.watts, lamp.colour
        light = mark(bpy.data.objects.new(name, data))
        light.location = lamp.place
        light.rotation_euler = (Vector(lamp.aim) - Vector(lamp.place)).to_track_quat("-Z", "Y").to_euler()
        collection.objects.link(light)
        made.append(light)
    if scene.world is None or is_ours(scene.world):
        scene.world = _world()
    return made


def _world() -> bpy.types.World:
    found = next((world for world in bpy.data.worlds if is_ours(world)), None)
    if found is not None:
        return found
    world = mark(bpy.data.worlds.new("Piano room"))
    if bpy.app.version < (5, 0):  # later ones always have nodes
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*_WORLD, 1.0)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 1.0
    world.color = _WORLD
    return world
