# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators as a script uses them without a window: the whole way, every refusal, and nothing left behind."""

import os
import signal
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender import cli, registration  # noqa: E402
from s2c_blender.jobs import pump  # noqa: E402
from s2c_blender.jobs.job import Phase  # noqa: E402
from s2c_blender.ops.generate import in_the_way  # noqa: E402
from s2c_blender.ops.report import report_text  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene.audio import sound_strip  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from tests import midi_files  # noqa: E402


@pytest.fixture
def scene(tmp_path):
    """An empty scene with a piece chosen, the add-on registered."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    settings = settings_of(bpy.context.scene)
    settings.piece = str(midi_files.piece(tmp_path / "piece.mid"))
    settings.folder = str(tmp_path)
    yield bpy.context.scene
    pump.watch_with(None)
    registration.unregister()


def fails(code):
    """Generate has to fail with this error, said in the operator's report with what to do about it."""
    objects = set(bpy.data.objects)
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.s2c.generate()
    error = pump.current().error
    assert error.code == code and error.message in str(caught.value) and error.hint in str(caught.value)
    assert set(bpy.data.objects) == objects
    return error


def test_generate_brings_hands_piano_and_sound_into_the_scene(scene, tmp_path):
    scene.render.fps = 24
    settings_of(scene).seed = 7
    assert bpy.ops.s2c.generate() == {"FINISHED"}
    assert Path(scene["s2c_take"]) == tmp_path / "piece.npz"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["piece.mid", "piece.npz", "piece.wav"]
    assert len([thing for thing in scene.objects if "midi_pitch" in thing]) == 88
    assert {thing.get("s2c_hand") for thing in scene.objects} >= {"right", "left"}
    assert scene.render.fps == 24
    job = pump.current()
    assert job.phase is Phase.DONE and job.fraction == 1.0 and job.request.seed == 7 and job.request.fps == 24.0


def test_generating_again_replaces_the_take(scene):
    bpy.ops.s2c.generate()
    count = len(scene.objects)
    settings_of(scene).hand_size = 18.0
    bpy.ops.s2c.generate()
    assert len(scene.objects) == count


def test_what_stands_in_the_piano_is_named_and_left_alone(scene):
    for name, place in (("Cube", 0.0), ("Far away", 5.0), ("Unseen", 0.0)):
        thing = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        thing.data.from_pydata([(-1, -1, -1), (1, 1, 1), (1, -1, 1)], [], [(0, 1, 2)])
        thing.location.x, thing.hide_render = place, name == "Unseen"
        scene.collection.objects.link(thing)
    bpy.context.view_layer.update()
    assert in_the_way(scene) == ["Cube"]
    bpy.ops.s2c.generate()
    warning = pump.current().warnings[-1]
    assert warning.code == "in-the-way" and "Cube stands" in warning.message
    assert scene.objects["Cube"].visible_get()


def test_a_saved_take_can_be_opened_in_another_scene(scene, tmp_path):
    bpy.ops.s2c.generate()
    other = bpy.data.scenes.new("Other")
    with bpy.context.temp_override(scene=other):
        assert bpy.ops.s2c.open_take(filepath=str(tmp_path / "piece.npz")) == {"FINISHED"}
    assert len([thing for thing in other.objects if "midi_pitch" in thing]) == 88
    assert Path(other["s2c_take"]) == tmp_path / "piece.npz"
    with pytest.raises(RuntimeError, match="no clip"):
        bpy.ops.s2c.open_take(filepath=str(tmp_path / "piece.mid"))


def test_choosing_a_piece_fills_the_field(scene, tmp_path):
    bpy.ops.s2c.choose_piece(filepath=str(tmp_path / "other.mid"))
    assert settings_of(scene).piece == str(tmp_path / "other.mid")


def test_without_a_piece_generate_cannot_be_pressed(scene):
    settings_of(scene).piece = ""
    assert not bpy.ops.s2c.generate.poll()
    assert not bpy.ops.s2c.cancel.poll()


def test_no_such_file(scene, tmp_path):
    (tmp_path / "piece.mid").unlink()
    fails("no-file")
    assert not pump.busy()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (midi_files.not_midi, "not-midi"),
        (midi_files.truncated, "truncated"),
        (midi_files.without_notes, "no-notes"),
        (midi_files.absurd_tempo, "bad-tempo"),
    ],
)
def test_bad_pieces_are_refused_and_the_scene_stays(scene, tmp_path, make, code):
    make(tmp_path / "piece.mid")
    fails(code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["piece.mid"]


def test_a_folder_that_cannot_be_written_to(scene, tmp_path):
    settings_of(scene).folder = str(tmp_path / "piece.mid")
    fails("no-folder")


def test_a_python_that_is_none(scene, monkeypatch, tmp_path):
    from s2c_blender.ops import generate

    monkeypatch.setattr(generate, "chosen_backend", lambda _: tmp_path / "python")
    fails("no-python")


def test_the_backend_killed_in_the_middle_is_said_and_the_next_one_works(scene, tmp_path):
    def kill(job):
        if job.stage and pump._backend.alive:
            os.kill(pump._backend.pid, signal.SIGKILL)

    pump.watch_with(kill)
    fails("backend-died")
    assert "Piano Hands report" in report_text() and "backend-died" in report_text()
    pump.watch_with(None)
    assert bpy.ops.s2c.generate() == {"FINISHED"}
    assert str(Path.home()) not in report_text() or str(Path.home()) == "/"


def test_cancelling_leaves_the_scene_as_it_was(scene, tmp_path):
    midi_files.piece(tmp_path / "piece.mid", notes=200)
    pump.watch_with(lambda job: pump.cancel())
    assert bpy.ops.s2c.generate() == {"CANCELLED"}
    assert pump.current().phase is Phase.CANCELLED
    assert not scene.objects and "s2c_take" not in scene
    assert sorted(path.name for path in tmp_path.iterdir()) == ["piece.mid"]


def test_a_scene_deleted_meanwhile_is_no_crash_and_the_take_is_kept(scene, tmp_path):
    asked, gone = bpy.context.scene, []

    def delete(job):
        if job.stage and not gone:
            bpy.data.scenes.new("Other")
            bpy.data.scenes.remove(asked)
            gone.append(True)

    pump.watch_with(delete)
    with pytest.raises((RuntimeError, ReferenceError)):
        bpy.ops.s2c.generate()
    assert pump.current().error.code == "no-scene" and "Open Take" in pump.current().error.hint
    assert (tmp_path / "piece.npz").exists()
    assert not bpy.data.objects


def traces():
    """Everything in Blender that an add-on might leave something in."""
    keymaps = [(configuration.name, keymap.name, len(keymap.keymap_items))
               for configuration in bpy.context.window_manager.keyconfigs for keymap in configuration.keymaps]  # fmt: skip
    handlers = {name: list(calls) for name in dir(bpy.app.handlers) if isinstance(calls := getattr(bpy.app.handlers, name), list)}
    owners = (bpy.types.Scene, bpy.types.Object, bpy.types.WindowManager, bpy.types.Collection, bpy.types.Armature)
    return {
        "types": [name for name in dir(bpy.types) if "S2C" in name.upper()],
        "classes": [cls.__name__ for base in (bpy.types.Operator, bpy.types.Panel, bpy.types.PropertyGroup, bpy.types.FileHandler)
                    for cls in base.__subclasses__() if cls.__module__.startswith("s2c_blender") and cls.is_registered],
        "operators": dir(bpy.ops.s2c),
        "properties": [sorted(owner.bl_rna.properties.keys()) for owner in owners],
        "attributes": [sorted(name for name in vars(owner) if not name.startswith("__")) for owner in owners],
        "keymaps": keymaps,
        "handlers": handlers,
        "menus": [len(getattr(bpy.types.TOPBAR_MT_file_import.draw, "_draw_funcs", []))],
    }  # fmt: skip


def test_nothing_is_left_after_disabling(scene):
    registration.unregister()
    before = traces()
    assert before["types"] == [] and before["classes"] == []
    registration.register()
    assert traces() != before
    bpy.ops.s2c.generate()
    child = pump._backend.pid
    registration.unregister()
    assert traces() == before
    assert not bpy.app.timers.is_registered(pump._tick)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    registration.register()  # for the fixture, and: once more is no problem


def test_the_command_line_makes_a_scene_and_measures_it(tmp_path, capsys):
    import json

    piece = midi_files.piece(tmp_path / "piece.mid")
    out = tmp_path / "out"
    assert (
        cli.main(["demo", "--input", str(piece), "--out", str(out), "--no-render", "--json", str(tmp_path / "figures.json")]) == 0
    )
    assert sorted(path.name for path in out.iterdir()) == ["scene.blend", "take.npz", "take.wav"]
    said = capsys.readouterr().out
    assert "notes   F1" in said and str(out / "scene.blend") in said
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["notes"] == 6 and figures["contact"]["scores"]["notes"]["f1"] > 0.9
    assert 0 < figures["seconds_per_second"] < 60
    assert not hasattr(bpy.types, "S2C_OT_generate")


def test_the_command_line_says_what_is_wrong_without_a_traceback(tmp_path, capsys):
    assert cli.main(["measure", "--input", str(tmp_path / "nothing.mid")]) == 1
    assert "There is no file" in (said := capsys.readouterr().err) and "Traceback" not in said
    assert cli.main(["demo", "--input", str(midi_files.truncated(tmp_path / "t.mid")), "--out", str(tmp_path / "out")]) == 1
    assert "ends in the middle" in (said := capsys.readouterr().err) and "Traceback" not in said


def test_bars_of_the_take_are_made_anew_beside_it_and_heard_as_before(scene, tmp_path):
    settings = settings_of(scene)
    assert not bpy.ops.s2c.make_anew.poll()
    settings.piece = str(midi_files.piece(tmp_path / "piece.mid", notes=20))
    assert bpy.ops.s2c.generate() == {"FINISHED"}
    first = Path(scene["s2c_take"])
    settings.part_first, settings.part_last, settings.part_seed = 2, 2, 6
    assert bpy.ops.s2c.make_anew() == {"FINISHED"}
    second = Path(scene["s2c_take"])
    assert (first.name, second.name) == ("piece.npz", "piece~2.npz") and first.exists()
    before, after = Clip.load(first), Clip.load(second)
    kept = (before.times < 1.99) | (before.times > 4.02)
    assert (after.rotation[kept] == before.rotation[kept]).all() and (after.rotation != before.rotation).any()
    assert after.made["again"][0]["seed"] == 6
    assert Path(bpy.path.abspath(sound_strip(scene).sound.filepath)) == tmp_path / "piece.wav"
    settings.part_by, settings.part_begin, settings.part_end = "SECONDS", 1.0, 1.5
    with pytest.raises(RuntimeError, match="Choose more"):
        bpy.ops.s2c.make_anew()
    settings.part_by, settings.part_last = "BARS", 99
    with pytest.raises(RuntimeError, match="bars 1 to 3"):
        bpy.ops.s2c.make_anew()
    assert Path(scene["s2c_take"]) == second and sorted(tmp_path.glob("*.npz")) == sorted([first, second])
