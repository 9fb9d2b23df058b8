# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: a person's way through the panel, with a picture of each state and figures in OUT/figures.json.

blender --python tests/window/drive_panel.py -- OUT [EXTENSION.zip]     (pictures are taken with ImageMagick's `import`)
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import window
from window import OUT, ROOT

PIECE = ROOT / "s2c_blender" / "pieces" / "demo.mid"

figures: dict[str, object] = {"blender": bpy.app.version_string}


def state() -> dict[str, int]:
    scene = bpy.context.window_manager.windows[0].scene
    return {
        "objects": len(scene.objects),
        "actions": len(bpy.data.actions),
        "meshes": len(bpy.data.meshes),
        "take": int("s2c_take" in scene),
    }


def steps() -> Iterator[float]:
    """What the person does; yields the seconds until the next step."""
    pump = window.enable()
    scene = bpy.context.window_manager.windows[0].scene
    settings = scene.piano_hands
    settings.folder = str(OUT)
    window.show_sidebar()
    yield 2.0
    window.open_tab()
    yield 1.0
    window.picture(OUT / "1_empty.png")

    settings.piece = str(PIECE)
    bpy.ops.ed.undo_push(message="Choose Piece")
    yield 1.0
    window.picture(OUT / "2_ready.png")

    bad = OUT / "notes for the lesson.mid"
    bad.write_text("This is no MIDI file.")
    settings.piece = str(bad)
    window.press(bpy.ops.s2c.generate)
    while pump.busy():
        yield 0.1
    yield 1.0
    assert pump.current().error.code == "not-midi"
    window.picture(OUT / "3_error.png")
    window.press(bpy.ops.s2c.copy_report)
    yield 0.2
    assert "not-midi" in bpy.context.window_manager.clipboard

    settings.piece = str(PIECE)
    window.press(bpy.ops.s2c.generate)
    while pump.busy() and pump.current().stage != "solving":
        yield 0.05
    window.press(bpy.ops.s2c.cancel)
    asked = time.perf_counter()
    while pump.busy():
        yield 0.02
    figures["seconds to cancel"] = round(time.perf_counter() - asked, 2)
    assert pump.current().phase.value == "cancelled", pump.current()
    yield 1.0
    window.picture(OUT / "4_cancelled.png")

    bpy.ops.ed.undo_push(message="Before the Take")
    before = state()
    window.press(bpy.ops.s2c.generate)
    ticks, last, taken = [], time.perf_counter(), 0
    _, area = window.window_and_area()
    while pump.current().phase.value == "working" and pump.current().fraction < 0.5:  # in good time before its end
        yield 0.01
        ticks.append(time.perf_counter() - last)
        fraction = pump.current().fraction
        if fraction > 0.15 * (taken + 1) and taken < 3:
            taken += 1
            area.spaces.active.region_3d.view_distance *= 1.2  # the person turns the view meanwhile
            window.picture(OUT / f"5_working_{taken}.png")
        last = time.perf_counter()
    # In the middle of other work the take waits until the person is done.
    window.mode("EDIT")
    while pump.current().phase.value == "working":
        yield 0.05
    yield 1.0
    assert pump.current().phase.value == "ready" and not state()["take"]
    window.picture(OUT / "5_waiting.png")
    window.mode("OBJECT")
    figures["ticks while working"] = len(ticks)
    figures["median wait between ticks"] = round(sorted(ticks)[len(ticks) // 2], 3)
    figures["longest wait between ticks"] = round(max(ticks), 3)
    while pump.busy():
        yield 0.05
    yield 2.0
    assert pump.current().phase.value == "done", pump.current().error
    figures["seconds to the clip"] = round(pump.current().took, 1)
    after = state()
    figures["before"], figures["after"] = before, after
    assert after["take"] and after["objects"] > before["objects"] + 88
    window.picture(OUT / "6_done.png")

    window.press(bpy.ops.ed.undo)
    yield 2.0
    window.open_tab()
    yield 0.5
    figures["after undo"] = state()
    window.picture(OUT / "7_undone.png")
    assert state()["objects"] == before["objects"] and not state()["take"], state()
    window.press(bpy.ops.ed.redo)
    yield 2.0
    figures["after redo"] = state()
    assert state()["take"] and state()["objects"] == after["objects"]
    window.picture(OUT / "8_redone.png")

    window.disable()
    yield 1.0
    figures["left behind"] = [name for name in dir(bpy.types) if "S2C" in name]

    pump = window.enable()  # and Blender is closed in the middle of a job
    scene = bpy.context.window_manager.windows[0].scene
    scene.piano_hands.piece, scene.piano_hands.folder = str(PIECE), str(OUT)
    window.press(bpy.ops.s2c.generate)
    while pump.current().stage != "solving":
        yield 0.05
    figures["backend left at work"] = pump._backend.pid
    figures["ok"] = True


window.go(steps(), figures)
