# SPDX-License-Identifier: GPL-3.0-or-later
"""Finger numbers over the keys: ten text objects, each of which stands behind the key that its finger plays, as long as it does.

They render like anything else, and cost as much as ten objects do, however long the piece.
"""

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..wire.clip import Clip
from ..wire.hands import FINGERS, HandSide
from ..wire.keyboard import LOWEST, WHITE_LENGTH, Keyboard
from .action import Keys, clear_curves, write_curves
from .marks import is_ours, mark
from .timing import frame_at, rate

COLLECTION, ACTION = "Finger numbers", "Finger numbers"
_SIZE = 0.026
_ABOVE = 0.026  # metres over the white keys
_LEAN = np.radians(52.0)  # from lying flat towards the player
_EASE = 0.05  # seconds in which a number grows and shrinks
_COLOURS = {HandSide.RIGHT: (1.0, 0.62, 0.16, 1.0), HandSide.LEFT: (0.30, 0.72, 1.0, 1.0)}


def shown(scene: bpy.types.Scene) -> bool:
    return _collection(scene) is not None


def show(scene: bpy.types.Scene, clip: Clip) -> None:
    """Numbers for every note that a finger plays, in place of those that are there."""
    hide(scene)
    collection = mark(bpy.data.collections.new(COLLECTION))
    scene.collection.children.link(collection)
    start, fps = frame_at(scene, 0.0), rate(scene)
    fingering, x = clip.fingering, Keyboard(clip.octave).x
    key = np.array([note.pitch - LOWEST for note in clip.score.notes], dtype=int)
    for side in HandSide:
        for number in range(1, len(FINGERS) + 1):
            mine = np.flatnonzero((fingering.hand == side) & (fingering.finger == number))
            mine = mine[np.argsort(fingering.strike[mine], kind="stable")]
            text = _numeral(side, number, collection)
            spans = list(zip(fingering.strike[mine].tolist(), fingering.release[mine].tolist(), strict=True))
            times, sizes, places = _steps(spans, x[key[mine]])
            frames = start + fps * times
            curves = {("location", 0, "Place"): Keys(frames, places)}
            curves |= {("scale", axis, "Size"): Keys(frames, sizes) for axis in range(3)}
            write_curves(text, ACTION, curves)
            text.location.x = places[0]


def hide(scene: bpy.types.Scene) -> None:
    collection = _collection(scene)
    if collection is None:
        return
    texts = list(collection.objects)
    data = [text.data for text in texts]
    for text in texts:
        clear_curves(text)
    bpy.data.batch_remove([*texts, *data])
    bpy.data.collections.remove(collection)
    bpy.data.batch_remove([paint for paint in bpy.data.materials if "s2c_number" in paint and not paint.users])


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    return next((each for each in scene.collection.children if each.name.startswith(COLLECTION) and is_ours(each)), None)


def _steps(spans: Sequence[tuple[float, float]], x: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Times, sizes and places: full-sized from strike to release; between two notes it goes to the next place unseen."""
    rows = [(-_EASE if not spans else min(-_EASE, spans[0][0] - 1.0), 0.0, float(x[0]) if len(x) else 0.0)]
    for place, (strike, release) in enumerate(spans):
        last = rows[-1][0]
        until = spans[place + 1][0] if place + 1 < len(spans) else np.inf
        begin = max(strike - _EASE, last + 1e-3)
        full = max(strike, begin + 1e-3)
        end = max(min(release, until - 2 * _EASE), full + 1e-3)
        here = float(x[place])
        rows += [(begin, 0.0, here), (full, 1.0, here), (end, 1.0, here), (end + _EASE / 2, 0.0, here)]
    times, sizes, places = np.array(rows).T
    return times, sizes, places


def _numeral(side: HandSide, number: int, collection: bpy.types.Collection) -> bpy.types.Object:
    curve = mark(bpy.data.curves.new(f"Finger {number}{side.suffix}", "FONT"))
    curve.body, curve.size, curve.extrude = str(number), _SIZE, 0.0006
    curve.offset = 0.0005  # bolder
    curve.align_x, curve.align_y = "CENTER", "BOTTOM"
    curve.materials.append(_paint(side))
    text = mark(bpy.data.objects.new(curve.name, curve))
    text.rotation_euler = (_LEAN, 0.0, 0.0)
    text.location = (0.0, WHITE_LENGTH - 0.004, _ABOVE)
    text.scale = (0.0, 0.0, 0.0)
    collection.objects.link(text)
    return text


def _paint(side: HandSide) -> bpy.types.Material:
    """Shines by itself, so that it can be read in any light."""
    name = f"Finger number{side.suffix}"
    found = next((paint for paint in bpy.data.materials if paint.get("s2c_number") == name), None)
    if found is not None:
        return found
    paint = mark(bpy.data.materials.new(name))
    paint["s2c_number"] = name
    paint.diffuse_color = _COLOURS[side]
    paint.use_nodes = True
    tree = paint.node_tree
    tree.nodes.clear()
    light, out = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    light.inputs["Color"].default_value = _COLOURS[side]
    light.inputs["Strength"].default_value = 1.0
    tree.links.new(light.outputs["Emission"], out.inputs["Surface"])
    return paint
