# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature without constraints of a rig, drivers or an object's own transform, that moves like another one, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
from mathutils import Matrix


@contextmanager
def doubled(scene: bpy.types.Scene, armature: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """A double that stands at the world's origin, under the armature's name; meshes that the armature bends follow it meanwhile.

    Each of its bones is where the armature's is, turned alike, and never stretched.
    """
    name, data = armature.name, armature.data.copy()
    data.transform(armature.matrix_world)
    armature.name = f"{name} (rig)"
    double = bpy.data.objects.new(name, data)
    scene.collection.objects.link(double)
    hanging = [_Hanging.of(child) for child in armature.children if child.type == "MESH" and child.parent_type != "BONE"]
    bent = [
        modifier for ob in scene.objects for modifier in ob.modifiers if modifier.type == "ARMATURE" and modifier.object == armature
    ]
    try:
        bpy.context.view_layer.update()  # only then the double has a pose
        for pose in double.pose.bones:
            for kind in ("COPY_LOCATION", "COPY_ROTATION"):
                follow = pose.constraints.new(kind)
                follow.target, follow.subtarget = armature, pose.name
        for modifier in bent:
            modifier.object = double
        for each in hanging:
            each.move_to(double)
        yield double
    finally:
        for modifier in bent:
            modifier.object = armature
        for each in hanging:
            each.put_back(armature)
        bpy.data.objects.remove(double)
        bpy.data.armatures.remove(data)
        armature.name = name
        bpy.context.view_layer.update()


@dataclass(frozen=True)
class _Hanging:
    """How an object hangs on its parent."""

    thing: bpy.types.Object
    stands: Matrix
    inverse: Matrix

    @staticmethod
    def of(thing: bpy.types.Object) -> "_Hanging":
        return _Hanging(thing, thing.matrix_world.copy(), thing.matrix_parent_inverse.copy())

    def move_to(self, parent: bpy.types.Object) -> None:
        """To a parent at the world's origin: the thing stays where it is."""
        self.thing.parent = parent
        self.thing.matrix_parent_inverse = self.stands @ self.thing.matrix_basis.inverted()

    def put_back(self, parent: bpy.types.Object) -> None:
        self.thing.parent = parent
        self.thing.matrix_parent_inverse = self.inverse
