# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: a person's way to S2C, from a Python in the preferences to a take; pictures and figures in OUT.

blender --python tests/window/drive_s2c.py -- OUT [EXTENSION.zip]

OUT holds a recording, `music.wav`, a checkpoint, `checkpoint`, and in `python.txt` the path of a Python with torch.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import window
from window import OUT, PACKAGES

CROP = "262x423+1027+84"  # the panel in a 1600x900 window

figures: dict[str, object] = {"blender": bpy.app.version_string}


def name_python(path: Path) -> None:
    """In the preferences, where there are any; imported from the checkout the add-on has none."""
    if PACKAGES:
        bpy.context.preferences.addons["bl_ext.user_default.piano_hands"].preferences.python = str(path)
        return
    from s2c_blender.ops import generate, look_at_python
    from s2c_blender.ui import prior

    for module in (generate, look_at_python, prior):
        module.chosen_backend = lambda _: path


def look_again() -> None:
    _, area = window.window_and_area()
    area.tag_redraw()


def steps() -> Iterator[float]:
    """What the person does; yields the seconds until the next step."""
    pump = window.enable()
    python = Path((OUT / "python.txt").read_text().strip())
    scene = bpy.context.window_manager.windows[0].scene
    settings = scene.piano_hands
    bpy.data.batch_remove(list(scene.objects))
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "scene.blend"))
    settings.folder, settings.piece = "//", "//music.wav"
    window.show_sidebar()
    yield 2.0
    window.open_tab()
    yield 1.5
    assert pump.session() is None  # nothing is started by looking at the panel
    window.picture(OUT / "s1_no_python.png")

    name_python(OUT / "no such python")
    look_again()
    named = time.perf_counter()
    while pump.answer(OUT / "no such python") is None:
        assert time.perf_counter() - named < 30.0
        yield 0.1
    assert pump.answer(OUT / "no such python").code == "no-python"
    yield 1.0
    window.picture(OUT / "s2_wrong_python.png")

    name_python(python)
    look_again()
    named = time.perf_counter()
    while pump.answer(python) is None:
        assert time.perf_counter() - named < 30.0
        yield 0.02
    figures["seconds to know what a Python can do"] = round(time.perf_counter() - named, 2)
    assert pump.answer(python).models == ("planner", "s2c"), pump.answer(python)
    yield 1.0
    window.picture(OUT / "s3_recording_for_the_planner.png")

    settings.prior = "s2c"
    yield 1.0
    window.picture(OUT / "s4_no_checkpoint.png")
    settings.checkpoint = "//checkpoint"
    yield 1.0
    window.picture(OUT / "s5_ready.png")
    window.picture(OUT / "panel.png", crop=CROP)

    settings.steps = 1000
    window.press(bpy.ops.s2c.generate)
    while pump.current().stage != "sampling":
        assert pump.busy(), pump.current().error
        yield 0.05
    yield 0.5
    window.picture(OUT / "s6_sampling.png")
    window.press(bpy.ops.s2c.cancel)
    asked = time.perf_counter()
    while pump.busy():
        yield 0.02
    figures["seconds to cancel"] = round(time.perf_counter() - asked, 2)
    assert pump.current().phase.value == "cancelled", pump.current()

    settings.steps = 4
    window.press(bpy.ops.s2c.generate)
    stages, began = dict[str, float](), time.perf_counter()
    while pump.busy():
        stages.setdefault(pump.current().stage, round(time.perf_counter() - began, 2))
        yield 0.02
    assert pump.current().phase.value == "done", pump.current().error
    figures["seconds to the clip, model kept"] = round(pump.current().took, 2)
    figures["seconds to each stage"] = stages
    yield 2.0
    window.picture(OUT / "s7_done.png")
    figures["sound"] = Path(bpy.path.abspath(scene.sequence_editor.strips[0].sound.filepath)).name
    figures["keys that move"] = len([thing for thing in scene.objects if "midi_pitch" in thing and thing.animation_data])
    figures["ok"] = True


window.go(steps(), figures)
