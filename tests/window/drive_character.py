# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: a take on a character, a changed finger, undo and redo, a trim; then Blender is closed.

blender --python tests/window/drive_character.py -- OUT [EXTENSION.zip]     (pictures are taken with ImageMagick's `import`)
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


def steps() -> Iterator[float]:
    """What the person does; yields the seconds until the next step."""
    pump = window.enable()
    sys.path.insert(0, str(ROOT))
    from s2c_blender.scene.contact import measure_scene
    from tests import character_rigs
    from tests.character_rigs import Make

    def finish(what: str) -> Iterator[float]:
        began = time.perf_counter()
        while pump.busy():
            yield 0.02
        figures[f"seconds to {what}"] = round(time.perf_counter() - began, 2)
        job = pump.current()
        assert job.phase.value == "done", job.error
        yield 1.0

    def shown():
        return bpy.context.window_manager.windows[0].scene

    settings = shown().piano_hands
    settings.folder, settings.piece, settings.limit, settings.seconds = str(OUT), str(PIECE), True, 10.0
    window.show_sidebar()
    yield 2.0
    window.open_tab()
    window.press(bpy.ops.s2c.generate)
    yield from finish("generate")
    settings = shown().piano_hands
    settings.character = character_rigs.build(Make("unreal4", arms=45, curl=14, tails="loose", roll=180), "Hero")
    bpy.ops.ed.undo_push(message="Character")
    window.press(bpy.ops.s2c.bake_character)
    yield from finish("bake")
    window.picture(OUT / "1_baked.png")
    baked = shown()["s2c_take"]
    assert shown().objects["Hero"]["s2c_take"] == baked and Path(baked).stem == "demo-Hero"

    note = shown().piano_hands.notes[20]
    note.finger = note.finger % 5 + 1
    bpy.ops.ed.undo_push(message="Finger")
    window.press(bpy.ops.s2c.solve_fingers)
    yield from finish("change a finger")
    changed = shown()["s2c_take"]
    assert shown().objects["Hero"]["s2c_take"] == changed != baked
    report = measure_scene(shown())
    notes = report.scores.notes
    figures["note F1"] = round(notes.f1, 3)
    figures["gap P95 (mm)"] = round(1e3 * report.fit.gap_p95, 2)

    window.press(bpy.ops.ed.undo)
    yield 1.0
    figures["take after undo"] = Path(shown()["s2c_take"]).name
    window.press(bpy.ops.ed.redo)
    yield 1.0
    figures["take after redo"] = Path(shown()["s2c_take"]).name
    assert Path(changed).is_file() and Path(baked).is_file()

    scene = shown()
    last = scene.frame_end
    for cut in (60, 120):
        scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, scene.frame_start, last - cut
        window.press(bpy.ops.s2c.trim_take)
        bpy.ops.ed.undo_push(message="Trim")  # what a script presses makes no undo step
        yield 1.0
    window.picture(OUT / "2_trimmed.png")
    figures["takes while Blender runs"] = sorted(path.name for path in OUT.glob("*.npz"))
    window.press(bpy.ops.s2c.take_off_character)
    bpy.ops.ed.undo_push(message="Take Off")
    yield 1.0
    figures["own take"] = Path(shown()["s2c_take"]).name
    window.press(bpy.ops.ed.undo)
    yield 1.0
    figures["take at the end"] = Path(shown()["s2c_take"]).name
    assert shown().objects["Hero"]["s2c_take"] == shown()["s2c_take"]
    figures["ok"] = True


window.go(steps(), figures)
