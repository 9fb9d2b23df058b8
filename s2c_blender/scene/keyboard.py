# SPDX-License-Identifier: GPL-3.0-or-later
"""The 88 keys: objects of their own, true to `wire.keyboard`, that turn about the balance line."""

import bpy
import numpy as np
from numpy.typing import NDArray

from ..wire import keyboard as figures
from ..wire.hands import HandSide
from ..wire.keyboard import BALANCE_Y, LOWEST, Keyboard
from ..wire.notes import pitch_name
from .marks import mark
from .materials import material
from .shapes import Solid, inset, level, rounded, rounding

Array = NDArray[np.float64]

_IVORY, _WOOD = 0, 1  # material slots of a white key; a black key has ebony in place of ivory

_REAR = BALANCE_Y + 0.015  # the lever runs on under the fallboard, a little past the balance line
_HIDDEN_Z = -0.002  # top of the lever behind the visible part
_BODY_Z = -figures.KEY_HEIGHT
_PLATE = 0.0026  # thickness of a white key's plate, which stands over the wood below
_LIP = 0.0014  # how far it does so in front
_SIDE = 0.0004  # and at the sides
_EDGE = 0.0008  # radius of the plate's upper edges
_CLEARANCE = 0.0009  # between a black key and the whites beside it
_BLACK_EDGE = 0.0013  # height of a black key's rounding; less than the 1.5 mm by which its top is measured


def key_angle(pitch: int, board: Keyboard) -> float:
    """Rotation about local X of a fully pressed key: its front edge goes down by the dip."""
    key = pitch - LOWEST
    return float(np.arcsin(board.dip[key] / (BALANCE_Y - board.front[key])))


def build_keys(board: Keyboard, collection: bpy.types.Collection) -> dict[int, bpy.types.Object]:
    """Make the keys and link them to `collection`; by MIDI pitch."""
    keys: dict[int, bpy.types.Object] = {}
    meshes: dict[tuple[object, ...], bpy.types.Mesh] = {}
    ivory, ebony, wood = (material(name) for name in ("Piano Ivory", "Piano Ebony", "Piano Key Wood"))
    for key, black in enumerate(board.black):
        pitch = key + LOWEST
        outline = None if black else _white_outline(board, key)
        shape = ("black",) if outline is None else ("white", *np.round(outline, 6).ravel())
        if shape not in meshes:
            solid = _black_key(board) if outline is None else _white_key(outline)
            name = "Black key" if outline is None else f"White key {pitch_name(pitch).rstrip('0123456789')}"
            meshes[shape] = mark(solid.mesh(name, [ebony if black else ivory, wood]))
        made = mark(bpy.data.objects.new(f"Key {pitch_name(pitch)}", meshes[shape]))
        made.location = (board.x[key], BALANCE_Y, 0.0)
        made["midi_pitch"] = pitch
        made.display.show_shadows = bool(black)
        collection.objects.link(made)
        keys[pitch] = made
    return keys


def _white_outline(board: Keyboard, key: int) -> Array:
    """A white key seen from above, counterclockwise from the front left, x from its middle: head, notches, tail (8, 2)."""
    half = board.half_width[key]
    room = (0.5 * figures.BLACK_WIDTH_BASE + _CLEARANCE) * board.scale
    sides = []
    for side, neighbour in ((HandSide.LEFT, key - 1), (HandSide.RIGHT, key + 1)):
        sign = -1.0 if side is HandSide.LEFT else 1.0
        beside_black = 0 <= neighbour < figures.KEY_COUNT and board.black[neighbour]
        sides.append(board.x[neighbour] - board.x[key] - sign * room if beside_black else sign * half)
    left, right = sides
    head, tail = figures.WHITE_HEAD, figures.WHITE_LENGTH
    return np.array(
        [(-half, 0.0), (half, 0.0), (half, head), (right, head), (right, tail), (left, tail), (left, head), (-half, head)]
    )


def _white_key(outline: Array) -> Solid:
    # Where no black key is at a side, its notch has no depth: drop the doubled corner.
    keep = np.array([True, True, True, outline[3, 0] < outline[2, 0], True, True, outline[6, 0] > outline[7, 0], True])
    keep[2], keep[7] = True, True
    radius = np.array([0.0013, 0.0013, 0.0009, 0.0, 0.0, 0.0, 0.0, 0.0009])
    radius[[2, 7]] *= keep[[3, 6]]
    plan = outline[keep]
    radius = radius[keep]
    plate = rounded(plan, radius) - (0.0, BALANCE_Y)

    solid = Solid()
    lower = [level(inset(plate, 0.0004), -_PLATE), level(plate, -_PLATE + 0.0004)]
    rings = [*lower, *rounding(plate, 0.0, _EDGE)]
    solid.stack(rings, material=_IVORY, caps=_split_at_head(rings[-1]))

    narrow = inset(plan, _SIDE)
    narrow[:2, 1] = _LIP
    narrow[np.isclose(plan[:, 1], figures.WHITE_LENGTH), 1] = figures.WHITE_LENGTH
    body = rounded(narrow, np.where(radius == 0.0013, 0.0010, 0.0)) - (0.0, BALANCE_Y)
    start = len(solid.faces)
    solid.stack([level(body, _BODY_Z), level(body, -_PLATE + 0.0002)], material=_WOOD, caps=_split_at_head(level(body, 0.0)))
    for face in range(start, len(solid.faces)):  # the front, rounded corners included, is plated like the top
        corners = np.array([solid.points[i] for i in solid.faces[face]])
        if corners[:, 1].max() < 0.004 - BALANCE_Y:
            solid.material[face] = _IVORY
    solid.box(
        (outline[5, 0] + _SIDE, figures.WHITE_LENGTH - 0.004 - BALANCE_Y, _BODY_Z),
        (outline[4, 0] - _SIDE, _REAR - BALANCE_Y, _HIDDEN_Z - 0.0008),
        material=_WOOD,
    )
    return solid


def _split_at_head(ring: Array) -> list[list[int]]:
    """Faces over a white key's ring: the tail apart from the head, so that both are convex."""
    count = len(ring)
    tail = [i for i in range(count) if ring[i, 1] > ring[:, 1].max() - 1e-4]
    right, left = tail[0], tail[-1]
    return [[*range(right), *range(left + 1, count)], [right - 1, *range(right, left + 1), (left + 1) % count]]


def _black_key(board: Keyboard) -> Solid:
    foot, top = (0.5 * width * board.scale for width in (figures.BLACK_WIDTH_BASE, figures.BLACK_WIDTH_TOP))
    front, rear = figures.BLACK_FRONT, figures.BLACK_FRONT + figures.BLACK_LENGTH
    edge = figures.BLACK_HEIGHT - _BLACK_EDGE

    def ring(half: float, start: float, z: float, corner: float) -> Array:
        outline = np.array([(-half, start), (half, start), (half, rear), (-half, rear)])
        return level(rounded(outline, [corner, corner, 0.0, 0.0], steps=4) - (0.0, BALANCE_Y), z)

    rings = [ring(foot, front - figures.BLACK_FOOT, -0.0030, 0.0014), ring(foot, front - figures.BLACK_FOOT, 0.0, 0.0014)]
    # The sides lean in to the width of the top, then round over to its flat; the nose more than the flanks.
    for angle in np.linspace(0.0, 0.5 * np.pi, 5):
        over = 1.0 - np.cos(angle)
        z = edge + _BLACK_EDGE * np.sin(angle)
        rings.append(ring(top - 0.0011 * over, front + 0.0026 * over, z, 0.0016 + 0.0008 * over))
    solid = Solid()
    solid.stack(rings, material=_IVORY)
    half = foot - 0.0003
    solid.box((-half, front - BALANCE_Y, _BODY_Z), (half, _REAR - BALANCE_Y, -0.0028), material=_WOOD)
    return solid
