# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick ways of reading hands and keys agree with the evaluated scene, and step back where they would not."""

import pytest

bpy = pytest.importorskip("bpy")

import numpy as np  # noqa: E402

from s2c_blender.motion.contact_keys import Box  # noqa: E402
from s2c_blender.scene.action import write_curves  # noqa: E402
from s2c_blender.scene.contact_sampling import SceneSampler, as_rendered  # noqa: E402
from tests import toy_piano  # noqa: E402
from tests.toy_piano import START_FRAME  # noqa: E402

TIMES = np.array([0.0, 0.1234, 0.5, 0.77])


@pytest.fixture
def scene():
    """Keys, and a bent tube on an armature of three bones that turns and moves."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    toy_piano.build_keys(scene)
    bpy.ops.object.armature_add()
    armature = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    bones.remove(bones[0])
    for i, name in enumerate(("wrist.R", "index1.R", "index2.R")):
        bone = bones.new(name)
        bone.head, bone.tail, bone.roll = (0.01 * i, 0.04 * i, 0.0), (0.01 * i + 0.01, 0.04 * i + 0.04, 0.0), 0.3 * i
        bone.parent = bones[i - 1] if i else None
        bone.use_connect = i == 2
    bpy.ops.object.mode_set(mode="OBJECT")
    channels = {}
    frames = START_FRAME + np.arange(-60, 90.0)
    for i, bone in enumerate(armature.pose.bones):
        bone.rotation_mode = ("QUATERNION", "XYZ", "ZYX")[i]
        turn, size = ("rotation_quaternion", 4) if i == 0 else ("rotation_euler", 3)
        for axis in range(size):
            values = (axis == 0) * (size == 4) + 0.4 * np.sin(frames / 9 + axis + i)
            channels[(f'pose.bones["{bone.name}"].{turn}', axis, bone.name)] = (frames, values)
    channels[('pose.bones["wrist.R"].location', 1, "wrist.R")] = (frames, 0.002 * np.sin(frames / 5))
    write_curves(armature, "Hands", channels)
    tube = toy_piano.ball("Tube", side="right", bone="wrist.R")
    scene.collection.objects.link(tube)
    for vertex in tube.data.vertices:
        along = vertex.index / len(tube.data.vertices)
        vertex.co = (vertex.co.x, 0.12 * along, vertex.co.z)
        for name, at in (("wrist.R", 0.2), ("index1.R", 0.5), ("index2.R", 0.8)):
            group = tube.vertex_groups.get(name) or tube.vertex_groups.new(name=name)
            group.add([vertex.index], max(0.0, 1.0 - 2.5 * abs(along - at)), "REPLACE")
    tube.parent = armature
    tube.modifiers.new("Armature", "ARMATURE").object = armature
    bpy.context.view_layer.update()
    return scene


def sampled(scene, way):
    """Points of the way that the sampler takes, and of the evaluated meshes."""
    objects = [bpy.data.objects["Tube"]]
    with as_rendered(scene, objects):
        sampler = SceneSampler(scene, first=-0.5, last=1.0)
        assert sampler.way == way
        quick = sampler.points_at(TIMES)
        cloud, keys = sampler.near(TIMES, Box(np.full(3, -np.inf), np.array([np.inf, np.inf, 0.0])))
        sampler._skins = [None for _ in sampler._skins]
        sampler._poses = [None for _ in sampler._poses]
        sampler._key_curves = False
        _, slow_keys = sampler.near(TIMES, Box(np.zeros(3), np.zeros(3)))
        truth = sampler.points_at(TIMES)
    assert np.abs(truth[0] - truth[-1]).max() > 0.005
    np.testing.assert_allclose(quick, truth, atol=1e-5)
    np.testing.assert_allclose(keys, slow_keys, atol=1e-5)
    below = np.argwhere(truth[..., 2] < -1e-6)
    assert {tuple(pair) for pair in below} <= set(zip(cloud.sample.tolist(), cloud.point.tolist(), strict=True))
    np.testing.assert_allclose(cloud.place, truth[cloud.sample, cloud.point], atol=1e-5)


def test_plain_hands_are_computed_from_curves(scene):
    key = bpy.data.objects["Key 60"]
    write_curves(key, "Keys", {("rotation_euler", 0, "Key"): (START_FRAME + np.arange(60.0), 0.05 * np.sin(np.arange(60.0)))})
    sampled(scene, "hands from curves, keys from curves")


def test_moved_armatures_and_unweighted_vertices_are_followed(scene):
    armature = bpy.data.objects["Armature"]
    armature.location, armature.rotation_euler = (0.1, 0.02, 0.01), (0.1, 0.2, 0.3)
    bpy.data.objects["Tube"].vertex_groups["wrist.R"].remove([0, 2, 3])
    bpy.context.view_layer.update()
    sampled(scene, "hands from curves, keys from curves")


def test_constrained_bones_are_read_from_the_scene(scene):
    armature = bpy.data.objects["Armature"]
    limit = armature.pose.bones["index1.R"].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x, limit.max_x, limit.owner_space = True, 0.1, "LOCAL"
    sampled(scene, "hands from bones, keys from curves")


@pytest.mark.parametrize("change", ["preserve volume", "smooth", "shape key"])
def test_other_deformations_are_read_from_the_mesh(scene, change):
    tube = bpy.data.objects["Tube"]
    if change == "preserve volume":
        tube.modifiers[0].use_deform_preserve_volume = True
    elif change == "smooth":
        tube.modifiers.new("Smooth", "SMOOTH").iterations = 2
    else:
        tube.shape_key_add(name="Basis")
        tube.shape_key_add(name="Long").data[5].co.z -= 0.01
        tube.data.shape_keys.key_blocks["Long"].value = 1.0
    sampled(scene, "hands from meshes, keys from curves")


def test_driven_keys_are_read_from_the_scene(scene):
    driver = bpy.data.objects["Key 64"].driver_add("rotation_euler", 0).driver
    driver.expression = "frame * 0.0005"
    sampled(scene, "hands from curves, keys from objects")


def test_the_render_s_subdivision_counts(scene):
    tube = bpy.data.objects["Tube"]
    modifier = tube.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels, modifier.render_levels = 0, 1
    with as_rendered(scene, [tube]):
        bpy.context.view_layer.update()
        count = SceneSampler(scene, first=0.0, last=1.0).points[0].count
    assert count > 3 * (len(tube.data.vertices) + len(tube.data.polygons))
    assert modifier.levels == 0
