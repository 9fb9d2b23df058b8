# SPDX-License-Identifier: GPL-3.0-or-later
"""Shirt cuffs and jacket sleeves, so that hands do not end in the air. They take no part in contact.

A cuff goes with the wrist; a sleeve starts at the cuff and points to an elbow, which follows the hand sideways by two thirds.
"""

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion.hand_rig import HandRig
from ..wire.hands import HandSide
from .armature import WAITING, bone_name
from .marks import mark
from .skin import cloth_material

Array = NDArray[np.floating]

SIDES = 40
PIVOT = -0.056  # where the sleeve turns
ELBOW = np.array([0.27, -0.47, 0.045])  # of the right arm of somebody who sits before the middle of the keyboard
FOLLOW = 0.65  # share of the wrist's way along the keyboard that the elbow goes too

AIM = 0.75  # share of the bend at the wrist that shows between cuff and sleeve

# Rings from the inside of the front edge round to the back: (metres along the forearm, metres outside the skin).
_CUFF = ((-0.060, 0.0025), (-0.0455, 0.0030), (-0.0440, 0.0040), (-0.0455, 0.0050), (-0.0650, 0.0055))
_SLEEVE = (
    (-0.075, 0.0095), (-0.0560, 0.0085), (-0.0540, 0.0105), (-0.0560, 0.0120), (-0.070, 0.0145), (-0.090, 0.0165), (-0.110, 0.0165),
    (-0.130, 0.0165), (-0.150, 0.0175), (-0.170, 0.0185), (-0.190, 0.0205), (-0.210, 0.0215), (-0.230, 0.0235), (-0.250, 0.0245),
    (-0.270, 0.0255), (-0.285, 0.0245), (-0.290, 0.0200), (-0.291, 0.0),
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """The forearm's cross-section, an ellipse: middle (x, z) and half axes, metres."""

    middle: Array
    half: Array


def add_sleeve(
    rig: HandRig, armature: bpy.types.Object, side: HandSide, *, scale: float, collection: bpy.types.Collection
) -> list[bpy.types.Object]:
    """Cuff, sleeve and elbow of one hand, linked into `collection`."""
    section = _section(rig, side)
    wrist = bone_name(0, side)
    cuff = _tube(f"Cuff{side.suffix}", _rings(section, _CUFF, folds=0.0) * scale + WAITING[side], "Hand Cuff")
    cuff.vertex_groups.new(name=wrist).add(range(len(cuff.data.vertices)), 1.0, "REPLACE")
    cuff.parent = armature
    cuff.modifiers.new("Armature", "ARMATURE").object = armature

    elbow = mark(bpy.data.objects.new(f"Elbow{side.suffix}", None))
    elbow.empty_display_size = 0.02
    elbow.location = ELBOW * ((-1.0 if side is HandSide.LEFT else 1.0), 1.0, 1.0)
    follow = elbow.constraints.new("COPY_LOCATION")
    follow.target, follow.subtarget = armature, wrist
    follow.use_y = follow.use_z = False
    follow.influence = FOLLOW

    rings = _rings(section, _SLEEVE, folds=0.0016) - np.array([0.0, PIVOT, 0.0])
    sleeve = _tube(f"Sleeve{side.suffix}", rings * scale, "Hand Sleeve", close=True)
    sleeve.parent, sleeve.parent_type, sleeve.parent_bone = armature, "BONE", wrist
    # A bone's children sit at its tail and share its axes: local Z looks to the palm, so the sleeve is turned about Y.
    sleeve.location = (0.0, PIVOT * scale - armature.data.bones[wrist].length, 0.0)
    sleeve.rotation_euler = (0.0, np.pi, 0.0)
    aim = sleeve.constraints.new("DAMPED_TRACK")
    aim.target = elbow
    aim.track_axis = "TRACK_NEGATIVE_Y"
    aim.influence = AIM
    objects = [cuff, sleeve, elbow]
    for ob in objects:
        collection.objects.link(ob)
    return objects


def _section(rig: HandRig, side: HandSide) -> Section:
    vertices = rig.side_vertices(side)
    ring = vertices[np.abs(vertices[:, 1] - PIVOT) < 0.008][:, [0, 2]]
    low, high = ring.min(0), ring.max(0)
    return Section(0.5 * (low + high), 0.5 * (high - low))


def _rings(section: Section, profile: tuple[tuple[float, float], ...], *, folds: float) -> Array:
    """(R, SIDES, 3) ellipses around the forearm; `folds` is the height of the cloth's wrinkles in metres."""
    angle = np.linspace(0.0, 2.0 * np.pi, SIDES, endpoint=False)
    rings = []
    for along, outside in profile:
        # No folds at the hem; further up they wind around the arm.
        height = folds * np.clip((-0.062 - along) / 0.03, 0.0, 1.0)
        fold = height * (np.sin(2 * angle + 95 * along) + 0.6 * np.sin(3 * angle - 160 * along + 1.0))
        half = section.half[:, None] * (outside > 0.0) + outside + fold * (outside > 0.0)
        rings.append(
            np.stack(
                [
                    section.middle[0] + half[0] * np.cos(angle),
                    np.full(SIDES, along),
                    section.middle[1] + half[1] * np.sin(angle),
                ],
                axis=1,
            )
        )
    return np.array(rings)


def _tube(name: str, rings: Array, look: str, *, close: bool = False) -> bpy.types.Object:
    """A smooth surface through rings; `close` draws the last one together."""
    count, sides = rings.shape[:2]
    around = np.arange(sides)
    faces = [
        [level * sides + i, level * sides + (i + 1) % sides, (level + 1) * sides + (i + 1) % sides, (level + 1) * sides + i]
        for level in range(count - 1 - close)
        for i in around.tolist()
    ]
    points = rings.reshape(-1, 3)
    if close:
        pole, last = (count - 1) * sides, (count - 2) * sides
        points = np.concatenate([points[:pole], rings[-1].mean(0, keepdims=True)])
        faces += [[last + i, last + (i + 1) % sides, pole] for i in around.tolist()]
    mesh = mark(bpy.data.meshes.new(name))
    mesh.from_pydata(points.tolist(), [], faces)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    mesh.materials.append(cloth_material(look))
    mesh.update()
    return mark(bpy.data.objects.new(name, mesh))
