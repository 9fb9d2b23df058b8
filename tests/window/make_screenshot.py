# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender and makes docs/panel.png: the panel beside a take, as OUT/panel.png.

blender --python tests/window/make_screenshot.py -- OUT [EXTENSION.zip]     (OUT holds the piece, demo.mid)
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import window
from window import OUT

MOMENT = 5.3  # seconds into the piece
CROP = "960x540+350+75"  # the right part of the 3D view of a 1600x900 window


def steps() -> Iterator[float]:
    pump = window.enable()
    scene = bpy.context.window_manager.windows[0].scene
    bpy.data.batch_remove(list(scene.objects))
    scene.render.fps = 60
    scene.piano_hands.piece, scene.piano_hands.folder = str(OUT / "demo.mid"), str(OUT)
    window.show_sidebar()
    yield 2.0
    window.open_tab()
    yield 1.0
    window.press(bpy.ops.s2c.generate)
    while pump.busy():
        yield 0.1
    scene.frame_set(round(scene["s2c_start_frame"] + MOMENT * 60))
    _, area = window.window_and_area()
    view = area.spaces.active
    view.overlay.show_overlays = False
    view.show_gizmo = False
    look = view.region_3d  # as the front camera, but filling what the picture shows of the view
    look.view_perspective = "PERSP"
    look.view_rotation = scene.camera.matrix_world.to_quaternion()
    look.view_location, look.view_distance = (-0.03, 0.0, 0.0), 0.85
    yield 2.0
    window.picture(OUT / "panel.png", crop=CROP)


window.go(steps(), {})
