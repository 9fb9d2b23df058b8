# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts in a windowed Blender share: bring the add-on in, press, look, and go on step by step from a timer."""

import json
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]
OUT, *PACKAGES = (Path(argument).absolute() for argument in sys.argv[sys.argv.index("--") + 1 :])


def enable():
    """The add-on's pump, from the zip that is then installed, or from the checkout."""
    if PACKAGES:
        bpy.ops.extensions.package_install_files(repo="user_default", filepath=str(PACKAGES[0]), enable_on_install=True)
        from bl_ext.user_default.piano_hands.s2c_blender.jobs import pump
    else:
        sys.path.insert(0, str(ROOT))
        import s2c_blender
        from s2c_blender.jobs import pump

        s2c_blender.register()
    return pump


def disable() -> None:
    if PACKAGES:
        bpy.ops.preferences.addon_disable(module="bl_ext.user_default.piano_hands")
    else:
        sys.modules["s2c_blender"].unregister()


def window_and_area():
    window = bpy.context.window_manager.windows[0]
    return window, max((area for area in window.screen.areas if area.type == "VIEW_3D"), key=lambda area: area.width)


def region(area, kind: str):
    return next(region for region in area.regions if region.type == kind)


def show_sidebar() -> None:
    _, area = window_and_area()
    area.spaces.active.show_region_ui = True


def open_tab() -> None:
    """Once the sidebar has been drawn."""
    _, area = window_and_area()
    region(area, "UI").active_panel_category = "Piano Hands"
    area.tag_redraw()


def picture(path: Path, *, crop: str | None = None) -> None:
    """The screen as it is; `crop` as ImageMagick writes geometries."""
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
    cut = ["-crop", crop, "+repage", "-strip", "+dither", "-colors", "128"] if crop else []
    subprocess.run(["import", "-window", "root", *cut, str(path)], check=True)


def press(operator):
    window, area = window_and_area()
    with bpy.context.temp_override(window=window, area=area, region=region(area, "WINDOW")):
        return operator("INVOKE_DEFAULT")


def mode(name: str) -> None:
    """Object Mode, or Edit Mode on the first mesh."""
    window, area = window_and_area()
    with bpy.context.temp_override(window=window, area=area, region=region(area, "WINDOW")):
        bpy.context.view_layer.objects.active = next(thing for thing in window.scene.objects if thing.type == "MESH")
        bpy.ops.object.mode_set(mode=name)


def go(steps: Iterator[float], figures: dict[str, object]) -> None:
    """Run `steps` from a timer, each after the seconds that the one before yielded, write OUT/figures.json and quit at the end."""

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            pass
        except Exception:
            figures["error"] = traceback.format_exc()
            picture(OUT / "failed.png")
        (OUT / "figures.json").write_text(json.dumps(figures, indent=1))
        bpy.ops.wm.quit_blender()
        return None

    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(step, first_interval=2.0, persistent=True)
