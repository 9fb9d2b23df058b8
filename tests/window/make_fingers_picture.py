# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender and makes docs/panel_fingers.png: the panel of fingers beside a take, as OUT/panel_fingers.png.

blender --python tests/window/make_fingers_picture.py -- OUT     (OUT holds the piece, demo.mid)
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import window
from window import OUT, ROOT

MOMENT = 5.3  # seconds into the piece
CROP = "760x690+525+80"  # the right part of the 3D view of a 1600x900 window


figures: dict[str, object] = {"blender": bpy.app.version_string}


def open_panels() -> None:
    """Which panels are open from the start, to be said before they are registered: a script cannot open one."""
    sys.path.insert(0, str(ROOT))
    from s2c_blender.ui import fingers, panel, take

    panel.S2C_PT_settings.bl_options = {"DEFAULT_CLOSED"}
    for kind in (fingers.S2C_PT_fingers, take.S2C_PT_edit, take.S2C_PT_export):
        kind.bl_options = set()


def steps() -> Iterator[float]:
    open_panels()
    pump = window.enable()
    scene = bpy.context.window_manager.windows[0].scene
    bpy.data.batch_remove(list(scene.objects))
    scene.render.fps = 60
    settings = scene.piano_hands
    settings.piece, settings.folder = str(OUT / "demo.mid"), str(OUT)
    settings.limit, settings.seconds = True, 15.0
    window.show_sidebar()
    yield 2.0
    window.open_tab()
    yield 1.0
    window.press(bpy.ops.s2c.generate)
    while pump.busy():
        yield 0.1
    scene.frame_set(round(scene["s2c_start_frame"] + MOMENT * 60))
    window.press(bpy.ops.s2c.finger_numbers)
    near = [note for note in settings.notes if abs(note.onset - MOMENT) < 1.5]
    near[1].finger = near[1].finger % 5 + 1
    window.press(bpy.ops.s2c.solve_fingers)
    began = time.perf_counter()
    while pump.busy():
        yield 0.05
    figures["seconds to solve a finger"] = round(time.perf_counter() - began, 2)
    figures["of which to the clip"] = round(pump.current().took, 2)
    assert pump.current().phase.value == "done", pump.current().error
    changed = scene["s2c_take"]
    window.press(bpy.ops.ed.undo)
    yield 1.0
    scene = bpy.context.window_manager.windows[0].scene
    assert scene["s2c_take"] != changed, "one undo takes the change back"
    window.press(bpy.ops.ed.redo)
    yield 1.0
    scene = bpy.context.window_manager.windows[0].scene
    assert scene["s2c_take"] == changed
    settings = scene.piano_hands
    near = [note for note in settings.notes if abs(note.onset - MOMENT) < 2.0]
    near[2].finger = near[2].finger % 5 + 1  # as it looks before it is solved
    window.open_tab()
    _, area = window.window_and_area()
    view = area.spaces.active
    view.overlay.show_overlays = False
    view.show_gizmo = False
    look = view.region_3d
    look.view_perspective = "PERSP"
    look.view_rotation = scene.camera.matrix_world.to_quaternion()
    look.view_location, look.view_distance = (-0.03, 0.03, 0.0), 0.85
    yield 3.0
    window.picture(OUT / "panel_fingers.png", crop=CROP)
    figures["ok"] = True


window.go(steps(), figures)
