# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of the piano and its room: one look for Cycles, EEVEE and the Workbench."""

from dataclasses import dataclass

import bpy

from .marks import is_ours, mark


@dataclass(frozen=True)
class Look:
    """Linear colour and surface of a material; `coat` is a layer of clear lacquer."""

    colour: tuple[float, float, float]
    roughness: float = 0.5
    metallic: float = 0.0
    coat: float = 0.0
    plain: tuple[float, float, float] | None = None  # colour in the Workbench, where it should differ


LOOKS = {
    "Piano Ivory": Look((0.72, 0.69, 0.62), roughness=0.28, coat=0.25, plain=(0.86, 0.83, 0.76)),
    "Piano Ebony": Look((0.010, 0.0095, 0.009), roughness=0.33, coat=0.15, plain=(0.035, 0.033, 0.032)),
    "Piano Key Wood": Look((0.52, 0.36, 0.19), roughness=0.7),
    "Piano Lacquer": Look((0.006, 0.006, 0.0065), roughness=0.12, coat=1.0, plain=(0.028, 0.027, 0.03)),
    "Piano Felt": Look((0.22, 0.012, 0.016), roughness=0.95, plain=(0.30, 0.03, 0.035)),
    "Piano Brass": Look((0.82, 0.57, 0.24), roughness=0.22, metallic=1.0, plain=(0.70, 0.48, 0.20)),
    "Piano Leather": Look((0.016, 0.013, 0.012), roughness=0.5, plain=(0.05, 0.045, 0.042)),
    "Room Floor": Look((0.085, 0.05, 0.028), roughness=0.38, plain=(0.085, 0.058, 0.04)),
    "Room Wall": Look((0.20, 0.19, 0.185), roughness=0.9, plain=(0.22, 0.21, 0.205)),
}


def material(name: str) -> bpy.types.Material:
    """The material of that look, made on first use; one that the person has altered stays as it is."""
    found = next((m for m in bpy.data.materials if is_ours(m) and m.get("s2c_name") == name), None)
    if found is not None:
        return found
    look = LOOKS[name]
    made = mark(bpy.data.materials.new(name))
    made["s2c_name"] = name
    if bpy.app.version < (5, 0):  # later ones always have nodes
        made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*look.colour, 1.0)
    shader.inputs["Roughness"].default_value = look.roughness
    shader.inputs["Metallic"].default_value = look.metallic
    shader.inputs["Coat Weight"].default_value = look.coat
    shader.inputs["Coat Roughness"].default_value = 0.06
    made.diffuse_color = (*(look.plain or look.colour), 1.0)
    made.roughness = look.roughness
    made.metallic = look.metallic
    return made
