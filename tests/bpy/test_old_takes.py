# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that edits leave behind: all stay while Blender runs, and of those that nothing refers to none stays when it closes."""

from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender import properties, registration  # noqa: E402
from s2c_blender.ops import old_takes  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene.audio import sound_strip  # noqa: E402
from tests import midi_files  # noqa: E402


@pytest.fixture
def scene(tmp_path):
    """A take, edited three times: piece.npz, ~2, ~3 and ~4, which has a stretched sound."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    scene = bpy.context.scene
    settings = settings_of(scene)
    settings.piece, settings.folder = str(midi_files.piece(tmp_path / "piece.mid", notes=8)), str(tmp_path)
    bpy.ops.s2c.generate()
    trim(scene)
    yield scene
    if hasattr(bpy.types.Scene, properties._NAME):
        registration.unregister()


def trim(scene):
    bpy.ops.s2c.trim_take(first=scene.frame_start, last=scene.frame_end - 5)


def takes(folder):
    return {path.stem for path in folder.glob("*.npz")}


def test_all_stay_while_blender_runs_and_what_is_in_the_scene_stays_after(scene, tmp_path):
    trim(scene)
    bpy.ops.s2c.retime_take(speed=80.0)
    assert takes(tmp_path) == {"piece", "piece~2", "piece~3", "piece~4"}
    registration.unregister()
    old_takes.clean_up()  # as at the end
    assert takes(tmp_path) == {"piece", "piece~4"} and Path(scene["s2c_take"]).stem == "piece~4"
    assert Path(bpy.path.abspath(sound_strip(scene).sound.filepath)).is_file()


def test_what_a_saved_file_refers_to_stays(scene, tmp_path):
    trim(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"), copy=True)
    trim(scene)
    bpy.ops.s2c.retime_take(speed=80.0)
    trim(scene)
    wave = tmp_path / "piece~5.wav"
    assert wave.is_file() and takes(tmp_path) == {"piece", "piece~2", "piece~3", "piece~4", "piece~5", "piece~6"}
    registration.unregister()
    old_takes.clean_up()
    assert takes(tmp_path) == {"piece", "piece~3", "piece~6"} and wave.is_file()  # the last one's sound


def test_what_was_written_before_another_file_was_opened_stays(scene, tmp_path):
    trim(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    trim(scene)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert Path(bpy.context.scene["s2c_take"]).stem == "piece~3"
    registration.unregister()
    old_takes.clean_up()
    assert takes(tmp_path) == {"piece", "piece~2", "piece~3", "piece~4"}


def test_when_blender_goes_on_nothing_is_deleted_ever(scene, tmp_path):
    registration.unregister()
    old_takes._forget()  # what the timer does
    old_takes.clean_up()
    assert takes(tmp_path) == {"piece", "piece~2"}


def test_another_scene_and_a_character_count(scene, tmp_path):
    other = bpy.data.scenes.new("Other")
    other["s2c_take"] = scene["s2c_take"]
    trim(scene)
    bpy.data.objects.new("Nowhere", None)["s2c_before"] = scene["s2c_take"]
    trim(scene)
    trim(scene)
    registration.unregister()
    old_takes.clean_up()
    assert takes(tmp_path) == {"piece", "piece~2", "piece~3", "piece~5"}
