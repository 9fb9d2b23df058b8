# SPDX-License-Identifier: GPL-3.0-or-later
"""The grand piano around the keys, its bench and the room. Nothing of it reaches into the keys' or the hands' space."""

import bpy
import numpy as np
from numpy.typing import NDArray

from ..wire.keyboard import FLOOR_Z, WHITE_LENGTH, Keyboard
from .marks import mark
from .materials import material
from .shapes import Solid, rounded, slab

Array = NDArray[np.float64]

_BED_Z = -0.038  # top of the keybed: pressed keys reach down to -0.033
_CASE_Z = -0.105  # underside of the case
_ARM_Z = 0.150  # top of the rim and the arms
_FRONT = -0.030  # front of key slip and cheeks
_CHEEK = 0.055  # width of a cheek block
_RIM = 0.042  # thickness of rim and arms
_DEPTH = 1.55  # of the whole instrument, a small grand


def build_body(board: Keyboard, collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """Make the body, the bench and the room, and link them to `collection`."""
    half = 0.5 * board.width
    parts = {
        "Piano keybed": _keybed(half),
        "Piano cheeks": _cheeks(half),
        "Piano fallboard": _fallboard(half),
        "Piano felt": _felt(half),
        "Piano case": _case(half),
        "Piano lid": _lid(half),
        "Piano music desk": _music_desk(),
        "Piano legs": _legs(half),
        "Piano bench": _bench(),
        "Room floor": _floor(),
        "Room wall": _wall(),
    }
    looks = {
        "Piano felt": ["Piano Felt"],
        "Piano fallboard": ["Piano Lacquer", "Piano Brass"],
        "Piano legs": ["Piano Lacquer", "Piano Brass"],
        "Piano bench": ["Piano Lacquer", "Piano Leather"],
        "Room floor": ["Room Floor"],
        "Room wall": ["Room Wall"],
    }
    made = []
    for name, solid in parts.items():
        materials = [material(look) for look in looks.get(name, ["Piano Lacquer"])]
        thing = mark(bpy.data.objects.new(name, mark(solid.mesh(name, materials))))
        # In the Workbench only hands and black keys cast shadows: it draws twice as fast, and the floor stays quiet.
        thing.display.show_shadows = False
        collection.objects.link(thing)
        made.append(thing)
    return made


def _keybed(half: float) -> Solid:
    solid = Solid()
    wide = half + _CHEEK
    solid.box((-wide, -0.004, _CASE_Z), (wide, 0.36, _BED_Z))
    # The key slip in front: just below the level that a pressed key's plate reaches.
    solid.box((-wide, _FRONT, _CASE_Z), (wide, -0.005, -0.019), round_by=0.003)
    return solid


def _cheeks(half: float) -> Solid:
    solid = Solid()
    for sign in (-1.0, 1.0):
        inner, outer = sorted((sign * (half + 0.002), sign * (half + _CHEEK)))
        solid.box((inner, _FRONT, _CASE_Z), (outer, WHITE_LENGTH - 0.001, -0.001), round_by=0.003)
    return solid


def _fallboard(half: float) -> Solid:
    """A board that leans back behind the keys, hollow at the foot, with a brass hinge line."""
    solid = Solid()
    wide = half + _CHEEK - 0.0005
    lean = [(0.1515, 0.0045), (0.1530, 0.012), (0.1575, 0.030), (0.1625, 0.060), (0.1670, 0.095), (0.1700, 0.112)]
    front = np.array([*lean, (0.1740, 0.1175), (0.1800, 0.1190), (0.1860, 0.1175), (0.1880, 0.112)])
    solid.along_x(np.array([*front[::-1], (0.1720, 0.0045)])[::-1], -wide, wide)
    solid.box((-wide, 0.1905, 0.104), (wide, 0.36, 0.116), round_by=0.002)
    solid.along_x(np.array([(0.1882, 0.1120), (0.1900, 0.1120), (0.1900, 0.1165), (0.1882, 0.1165)]), -wide, wide, material=1)
    return solid


def _felt(half: float) -> Solid:
    solid = Solid()
    profile = rounded(np.array([(0.1490, 0.0009), (0.1516, 0.0009), (0.1516, 0.0050), (0.1490, 0.0050)]), 0.0008)
    # Black keys pass through gaps in real felt; here it stands behind their ends, which reach to 148 mm.
    solid.along_x(profile, -half - 0.002, half + 0.002)
    return solid


def _rim_outline(half: float) -> Array:
    """The case from above, counterclockwise from the front left: straight bass side, round tail, bent treble side."""
    bass, treble = -half - _CHEEK - _RIM, half + _CHEEK + _RIM
    bends = [(treble, 0.36), (treble, 0.55), (treble - 0.06, 0.75), (treble - 0.24, 0.93), (treble - 0.48, 1.08)]
    tail = [(treble - 0.66, 1.24), (treble - 0.76, 1.40), (treble - 0.88, 1.50), (bass + 0.24, _DEPTH), (bass + 0.09, 1.50)]
    return rounded(np.array([(bass, 0.36), *bends, *tail, (bass, 1.38)]), [0, 0, *[0.10] * 10], steps=5)


def _case(half: float) -> Solid:
    solid = Solid()
    outline = _rim_outline(half)
    solid.stack(slab(outline, _CASE_Z, _ARM_Z, round_by=0.004))
    # The arms run forward from the rim and sweep down beside the keys.
    sweep = [(0.37, _ARM_Z), (0.245, _ARM_Z), (0.212, 0.140), (0.185, 0.115), (0.165, 0.075), (0.145, 0.040), (0.115, 0.017)]
    front = [(0.075, 0.005), (0.030, 0.0005), (-0.020, 0.0), (_FRONT - 0.004, -0.006), (_FRONT - 0.004, _CASE_Z + 0.02)]
    profile = rounded(
        np.array([(_FRONT + 0.012, _CASE_Z), (0.37, _CASE_Z), *sweep, *front]), [0, 0, 0, *[0.012] * 8, 0.004, 0.004, 0.01]
    )
    for sign in (-1.0, 1.0):
        inner, outer = sorted((sign * (half + _CHEEK + 0.0005), sign * (half + _CHEEK + _RIM)))
        solid.along_x(profile, inner, outer)
    return solid


def _lid(half: float) -> Solid:
    """The closed lid, its front part folded back on it."""
    solid = Solid()
    outline = _rim_outline(half)
    centre = np.array([0.0, 0.9])
    outline = centre + (outline - centre) * 1.012
    front = np.where(outline[:, 1] < 0.45, 0.40, outline[:, 1])
    solid.stack(slab(np.column_stack([outline[:, 0], front]), _ARM_Z + 0.001, _ARM_Z + 0.021, round_by=0.004))
    wide = half + _CHEEK + _RIM + 0.008
    solid.box((-wide, 0.41, _ARM_Z + 0.0225), (wide, 0.68, _ARM_Z + 0.041), round_by=0.004)
    return solid


def _music_desk() -> Solid:
    """A desk leaning back on the shelf behind the fallboard."""
    solid = Solid()
    board = np.array([(0.272, 0.118), (0.284, 0.118), (0.352, 0.338), (0.340, 0.341)])
    solid.along_x(rounded(board, [0.001, 0.001, 0.005, 0.005]), -0.36, 0.36)
    solid.box((-0.36, 0.232, 0.1165), (0.36, 0.290, 0.126), round_by=0.003)
    return solid


def _legs(half: float) -> Solid:
    solid = Solid()
    foot = [(0.030, 0.055), (0.034, 0.075), (0.030, 0.10), (0.036, 0.40), (0.050, 0.56), (0.058, 0.60), (0.058, 0.62)]
    profile = [(radius, FLOOR_Z + z) for radius, z in foot]
    for centre in ((-half - 0.03, 0.16), (half + 0.03, 0.16), (-half + 0.30, 1.28)):
        solid.turned(centre, [*profile, (0.062, _CASE_Z + 0.001)])
        solid.turned(
            centre, [(0.016, FLOOR_Z), (0.024, FLOOR_Z + 0.012), (0.024, FLOOR_Z + 0.040), (0.016, FLOOR_Z + 0.056)], material=1
        )
    for x in (-0.055, 0.055):  # the lyre that carries the pedals
        solid.turned((x, 0.30), [(0.013, FLOOR_Z + 0.10), (0.011, FLOOR_Z + 0.30), (0.015, _CASE_Z + 0.001)])
    solid.box((-0.12, 0.255, FLOOR_Z + 0.045), (0.12, 0.345, FLOOR_Z + 0.125), round_by=0.006)
    solid.box((-0.09, 0.265, _CASE_Z - 0.03), (0.09, 0.335, _CASE_Z + 0.001), round_by=0.006)
    return solid


def _bench() -> Solid:
    solid = Solid()
    seat = FLOOR_Z + 0.47
    outline = np.array([(-0.37, -0.84), (0.37, -0.84), (0.37, -0.50), (-0.37, -0.50)])
    solid.stack(slab(outline, seat - 0.075, seat - 0.030, round_by=0.004))
    cushion = rounded(outline * (0.98, 1.0) + (0.0, 0.0), 0.03, steps=4)
    solid.stack(slab(cushion, seat - 0.031, seat + 0.012, round_by=0.018, steps=5), material=1)
    for x in (-0.34, 0.34):
        for y in (-0.81, -0.53):
            solid.turned((x, y), [(0.016, FLOOR_Z), (0.022, FLOOR_Z + 0.2), (0.026, seat - 0.074)])
    return solid


def _floor() -> Solid:
    solid = Solid()
    solid.add([(-6, -5, FLOOR_Z), (6, -5, FLOOR_Z), (6, 3.4, FLOOR_Z), (-6, 3.4, FLOOR_Z)], [[0, 1, 2, 3]])
    return solid


def _wall() -> Solid:
    solid = Solid()
    solid.add([(-6, 3.4, FLOOR_Z), (6, 3.4, FLOOR_Z), (6, 3.4, 3.2), (-6, 3.4, 3.2)], [[0, 1, 2, 3]])
    return solid
