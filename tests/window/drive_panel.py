# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: a person's way through the panel, with a picture of each state and figures in OUT/figures.json.

blender --python tests/window/drive_panel.py -- OUT [EXTENSION.zip]     (pictures are taken with ImageMagick's `import`)
"""

import json
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]
OUT, *PACKAGES = (Path(argument).absolute() for argument in sys.argv[sys.argv.index("--") + 1 :])
PIECE = ROOT / "s2c_blender" / "pieces" / "demo.mid"

figures: dict[str, object] = {"blender": bpy.app.version_string}


def enable():
    """The add-on's pump, from the installed zip or from the checkout."""
    if PACKAGES:
        bpy.ops.extensions.package_install_files(repo="user_default", filepath=str(PACKAGES[0]), enable_on_install=True)
        from bl_ext.user_default.piano_hands.s2c_blender.jobs import pump
    else:
        sys.path.insert(0, str(ROOT))
        import s2c_blender
        from s2c_blender.jobs import pump

        s2c_blender.register()
    return pump


def window_and_area():
    window = bpy.context.window_manager.windows[0]
    return window, max((area for area in window.screen.areas if area.type == "VIEW_3D"), key=lambda area: area.width)


def show_sidebar() -> None:
    _, area = window_and_area()
    area.spaces.active.show_region_ui = True


def open_tab() -> None:
    """Once the sidebar has been drawn."""
    _, area = window_and_area()
    region = next(region for region in area.regions if region.type == "UI")
    region.active_panel_category = "Piano Hands"
    area.tag_redraw()


def picture(name: str) -> None:
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
    subprocess.run(["import", "-window", "root", str(OUT / f"{name}.png")], check=True)


def press(operator, **properties):
    window, area = window_and_area()
    with bpy.context.temp_override(window=window, area=area, region=next(r for r in area.regions if r.type == "WINDOW")):
        return operator("INVOKE_DEFAULT", **properties)


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
    pump = enable()
    scene = bpy.context.window_manager.windows[0].scene
    settings = scene.piano_hands
    settings.folder = str(OUT)
    show_sidebar()
    yield 2.0
    open_tab()
    yield 1.0
    picture("1_empty")

    settings.piece = str(PIECE)
    bpy.ops.ed.undo_push(message="Choose Piece")
    yield 1.0
    picture("2_ready")

    bad = OUT / "notes for the lesson.mid"
    bad.write_text("This is no MIDI file.")
    settings.piece = str(bad)
    press(bpy.ops.s2c.generate)
    while pump.busy():
        yield 0.1
    yield 1.0
    assert pump.current().error.code == "not-midi"
    picture("3_error")
    press(bpy.ops.s2c.copy_report)
    yield 0.2
    assert "not-midi" in bpy.context.window_manager.clipboard

    settings.piece = str(PIECE)
    press(bpy.ops.s2c.generate)
    while pump.busy() and pump.current().stage != "solving":
        yield 0.05
    press(bpy.ops.s2c.cancel)
    asked = time.perf_counter()
    while pump.busy():
        yield 0.02
    figures["seconds to cancel"] = round(time.perf_counter() - asked, 2)
    assert pump.current().phase.value == "cancelled", pump.current()
    yield 1.0
    picture("4_cancelled")

    bpy.ops.ed.undo_push(message="Before the Take")
    before = state()
    press(bpy.ops.s2c.generate)
    ticks, last, taken = [], time.perf_counter(), 0
    while pump.busy() and pump.current().phase.value == "working":
        yield 0.01
        ticks.append(time.perf_counter() - last)
        fraction = pump.current().fraction
        if fraction > 0.3 and not taken:
            picture("5_working")
            taken = 1
        _, area = window_and_area()
        area.spaces.active.region_3d.view_distance *= 1.002  # the person turns the view meanwhile
        last = time.perf_counter()
    figures["ticks while working"] = len(ticks)
    figures["longest wait between ticks"] = round(max(ticks), 3)
    while pump.busy():
        yield 0.05
    yield 2.0
    assert pump.current().phase.value == "done", pump.current().error
    figures["seconds to the clip"] = round(pump.current().took, 1)
    after = state()
    figures["before"], figures["after"] = before, after
    assert after["take"] and after["objects"] > before["objects"] + 88
    picture("6_done")

    press(bpy.ops.ed.undo)
    yield 2.0
    open_tab()
    yield 0.5
    figures["after undo"] = state()
    picture("7_undone")
    assert state()["objects"] == before["objects"] and not state()["take"], state()
    press(bpy.ops.ed.redo)
    yield 2.0
    figures["after redo"] = state()
    assert state()["take"] and state()["objects"] == after["objects"]
    picture("8_redone")

    if PACKAGES:
        bpy.ops.preferences.addon_disable(module="bl_ext.user_default.piano_hands")
    else:
        sys.modules["s2c_blender"].unregister()
    yield 1.0
    figures["left behind"] = [name for name in dir(bpy.types) if "S2C" in name]
    figures["ok"] = True


def end() -> None:
    (OUT / "figures.json").write_text(json.dumps(figures, indent=1))
    bpy.ops.wm.quit_blender()


def run(way: Iterator[float]) -> float | None:
    try:
        return next(way)
    except StopIteration:
        end()
    except Exception:
        figures["error"] = traceback.format_exc()
        picture("9_failed")
        end()
    return None


way = steps()
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(lambda: run(way), first_interval=2.0, persistent=True)
