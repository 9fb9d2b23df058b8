# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests of exports look at a scene, before it goes out and after it has come in again."""

import bpy
import numpy as np
import pytest

ALLOWED = 0.0005  # metres
FPS = 30  # so that hands carry two poses a frame
FRAMES = range(31, 95, 3)


def clean():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FPS


def needs(*operators):
    for name in operators:
        group, operator = name.split(".")
        if operator not in dir(getattr(bpy.ops, group)):
            pytest.skip(f"this Blender module has no {name}")


def point(name, vertex):
    thing = bpy.data.objects[name].evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(thing.matrix_world @ thing.data.vertices[vertex].co)


def skin_of(scene):
    """Every vertex of every mesh as it renders (V, 3)."""
    graph = bpy.context.evaluated_depsgraph_get()
    points = []
    for thing in scene.objects:
        if thing.type == "MESH":
            shown = thing.evaluated_get(graph)
            flat = np.empty(3 * len(shown.data.vertices), dtype=np.float32)
            shown.data.vertices.foreach_get("co", flat)
            matrix = np.array(shown.matrix_world)
            points.append(flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(points)


def errors_of_skin(skin):
    """(F, 10) metres between where the fingertips were and are; which vertices they are is found at the first frame."""
    scene, chosen, errors = bpy.context.scene, None, []
    for frame, wanted in zip(FRAMES, skin, strict=True):
        scene.frame_set(frame)
        points = skin_of(scene)
        if chosen is None:
            chosen = [int(np.argmin(np.linalg.norm(points - each, axis=1))) for each in wanted]
        errors.append(np.linalg.norm(points[chosen] - wanted, axis=1))
    return np.array(errors)
