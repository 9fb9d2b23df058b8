# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of S2C in a scene: hands move without notes, and the recording is the sound. By hand, and by the real backend."""

import shlex
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

import numpy as np  # noqa: E402
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

from s2c_blender import cli, registration  # noqa: E402
from s2c_blender.jobs import pump  # noqa: E402
from s2c_blender.jobs.job import Phase  # noqa: E402
from s2c_blender.ops import generate as generating  # noqa: E402
from s2c_blender.ops import look_at_python as looking  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene.action import curves_of  # noqa: E402
from s2c_blender.scene.audio import sound_strip  # noqa: E402
from s2c_blender.scene.stage import build_stage, remove_take  # noqa: E402
from s2c_blender.ui import prior  # noqa: E402
from s2c_blender.wire.clip import Clip, hand_rate  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.messages import Hello  # noqa: E402
from s2c_blender.wire.notes import Fingering, Score  # noqa: E402
from tests import midi_files, wav_files  # noqa: E402
from tests.mano_files import mano_arrays, published, python2_pickle  # noqa: E402

SECONDS = 3.0


def clip_without_notes(*, fps=30.0):
    """Both wrists go to the treble and back; one finger curls."""
    times = np.arange(int((1.0 + SECONDS) * hand_rate(fps))) / hand_rate(fps)
    rotation = np.zeros((len(times), 2, 16, 4), np.float32)
    rotation[..., 0] = 1.0
    curl = 0.4 * np.sin(2.0 * times)[:, None]
    rotation[:, :, 1, 0], rotation[:, :, 1, 1] = np.cos(0.5 * curl), -np.sin(0.5 * curl)
    translation = np.tile(np.float32([[0.4, -0.1, 0.06], [0.15, -0.1, 0.06]]), (len(times), 1, 1))
    translation[:, :, 0] += 0.1 * np.sin(2.0 * times)[:, None]
    nothing = np.zeros(0)
    fingering = Fingering(nothing.astype(np.int8), nothing.astype(np.int8), nothing, nothing)
    return Clip(rotation, translation, fps, -1.0, Score(()), fingering, made={"prior": "s2c", "input": "music.wav"})


@pytest.fixture
def scene(tmp_path):
    """An empty scene that asks for S2C, the add-on registered."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    settings = settings_of(bpy.context.scene)
    settings.piece, settings.folder = str(wav_files.recording(tmp_path / "music.wav", seconds=SECONDS)), str(tmp_path)
    settings.prior, settings.checkpoint, settings.steps = "s2c", str(tmp_path), 2
    settings.raw = True
    yield bpy.context.scene
    registration.unregister()


def wrists_over_time(scene, armature):
    """(T, 3) of a hand's wrist at a few frames."""
    places = []
    for frame in np.linspace(scene.frame_start, scene.frame_end, 6):
        scene.frame_set(int(frame))
        bpy.context.view_layer.update()
        places.append(tuple(armature.matrix_world @ armature.pose.bones[0].head))
    return np.array(places)


def is_a_whole_take_without_notes(scene, recording, *, seconds):
    keys = [thing for thing in scene.objects if "midi_pitch" in thing]
    assert len(keys) == 88 and not any(curves_of(key) for key in keys)
    hands = [thing for thing in scene.objects if thing.type == "ARMATURE" and "s2c_hand" in thing]
    assert {hand["s2c_hand"] for hand in hands} == {"right", "left"}
    for hand in hands:
        assert np.ptp(wrists_over_time(scene, hand), axis=0).max() > 1e-4
    assert all(key.rotation_euler.x == 0.0 for key in keys)
    strip = sound_strip(scene)
    assert Path(bpy.path.abspath(strip.sound.filepath)) == recording
    start = scene["s2c_start_frame"]
    assert strip.frame_final_start == start and start - scene.frame_start >= scene.render.fps
    assert scene.frame_end == pytest.approx(start + seconds * scene.render.fps, abs=1.0)
    assert scene.camera is not None


def test_a_clip_without_notes_is_a_take(scene, tmp_path):
    recording = tmp_path / "music.wav"
    clip = clip_without_notes()
    staged = build_stage(clip, tmp_path / "take.npz", audio_path=recording, scene=scene)
    is_a_whole_take_without_notes(scene, recording, seconds=SECONDS)
    scene.frame_set(int(staged.start_frame) + 20)
    bpy.context.view_layer.update()
    for hand in staged.hands:
        wrist = hand.armature.matrix_world @ hand.armature.pose.bones[0].head
        for name in ("Camera front", "Camera top", "Camera close"):
            x, y, depth = world_to_camera_view(scene, staged.cameras[name], wrist + Vector((0.0, 0.05, 0.0)))
            assert 0.0 < x < 1.0 and 0.0 < y < 1.0 and depth > 0.0, name
    assert remove_take(scene) and not [thing for thing in scene.objects if "midi_pitch" in thing]


def test_a_saved_take_finds_the_recording_that_lies_beside_it(scene, tmp_path):
    clip_without_notes().save(tmp_path / "other name.npz")
    assert bpy.ops.s2c.open_take(filepath=str(tmp_path / "other name.npz")) == {"FINISHED"}
    assert Path(bpy.path.abspath(sound_strip(scene).sound.filepath)) == tmp_path / "music.wav"
    (tmp_path / "music.wav").unlink()
    assert bpy.ops.s2c.open_take(filepath=str(tmp_path / "other name.npz")) == {"FINISHED"}
    assert sound_strip(scene) is None


def fails(code):
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.s2c.generate()
    error = pump.current().error
    assert error.code == code and error.message in str(caught.value) and error.hint in str(caught.value)
    return error


def test_a_recording_is_refused_in_words_where_no_notes_can_be_heard(scene, tmp_path):
    settings_of(scene).prior = "planner"
    (tmp_path / "music.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE, but no more of it")
    before = (tmp_path / "music.wav").read_bytes()
    with pytest.raises(RuntimeError):
        bpy.ops.s2c.generate()
    assert pump.current().error.code in ("not-sound", "no-torch")
    assert (tmp_path / "music.wav").read_bytes() == before and not scene.objects


def test_s2c_without_any_checkpoint_cannot_be_pressed(scene, monkeypatch):
    settings_of(scene).checkpoint = ""
    assert bpy.ops.s2c.generate.poll()  # by the weights that ship
    monkeypatch.setattr(prior, "shipped_weights", lambda: None)
    assert not bpy.ops.s2c.generate.poll()
    settings_of(scene).prior = "planner"
    assert bpy.ops.s2c.generate.poll()


@pytest.fixture
def python_without_torch(tmp_path, monkeypatch):
    """A program that starts the backend as if torch were missing; the preferences seem to name it."""
    code = (
        "import pathlib, sys; from backend import config, server; config.missing_packages = lambda *_: ('torch',); "
        "sys.exit(server.serve(pathlib.Path(sys.argv[1])))"
    )
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nfor last; do :; done\nexec {sys.executable} -s -u -c {shlex.quote(code)} "$last"\n')
    path.chmod(0o755)
    for module in (generating, looking):
        monkeypatch.setattr(module, "chosen_backend", lambda _: path)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a stand-in for Python")
def test_without_torch_it_is_said_what_is_missing_and_what_to_do(scene, python_without_torch):
    error = fails("no-torch")
    assert "torch" in error.message and "preferences" in error.hint
    answer = pump.answer(python_without_torch)
    assert isinstance(answer, Hello) and answer.missing == ("torch",)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a stand-in for Python")
def test_a_python_can_be_looked_at_without_a_job(scene, python_without_torch):
    assert pump.answer(python_without_torch) is None
    assert bpy.ops.s2c.look_at_python() == {"FINISHED"}
    assert pump.answer(python_without_torch).models == ("planner",)
    python_without_torch.write_text("#!/bin/sh\necho no such thing >&2\nexit 3\n")
    with pytest.raises(RuntimeError, match="did not start"):
        bpy.ops.s2c.look_at_python()
    assert "no such thing" in pump.answer(python_without_torch).message
    python_without_torch.unlink()
    with pytest.raises(RuntimeError, match="could not be started"):
        bpy.ops.s2c.look_at_python()
    assert isinstance(pump.answer(python_without_torch), PianoHandsError)
    pump.stop()
    assert pump.answer(python_without_torch) is None


def test_a_recording_goes_the_whole_way_by_the_backend_with_torch(scene, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")
    from tests import tiny_s2c

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = settings_of(scene)
    settings.checkpoint = str(tiny_s2c.checkpoint(tmp_path / "checkpoint"))
    recording = tmp_path / "music.wav"
    before = recording.read_bytes()
    assert bpy.ops.s2c.generate() == {"FINISHED"}
    job = pump.current()
    assert job.phase is Phase.DONE and job.request.prior == "s2c" and job.request.audio_output is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "music.wav", "music_raw.npz"]
    assert recording.read_bytes() == before
    is_a_whole_take_without_notes(scene, recording, seconds=SECONDS)
    first, watched = (tmp_path / "music_raw.npz").read_bytes(), []
    pump.watch_with(lambda job: watched.append(job.stage))
    assert bpy.ops.s2c.generate() == {"FINISHED"}  # again, by the same backend
    pump.watch_with(None)
    assert "loading" not in watched and (tmp_path / "music_raw.npz").read_bytes() == first
    assert cli_demo(tmp_path, recording) == ["scene.blend", "take.npz"]


def cli_demo(folder, recording):
    """The command line's way; what it writes."""
    out = folder / "out"
    mano = folder / "MANO_RIGHT.pkl"
    task = ["demo", "--input", str(recording), "--out", str(out), "--no-render", "--prior", "s2c", "--steps", "2", "--raw"]
    assert cli.main(task) == 1  # no checkpoint
    task += ["--checkpoint", str(folder / "checkpoint"), "--compatibility", "reference", "--mano", str(mano)]
    assert cli.main(task) == 1 and not list(out.iterdir())  # no such file
    mano.write_bytes(python2_pickle(published(mano_arrays())))
    assert cli.main(task) == 0
    made = Clip.load(out / "take.npz").made
    assert made["compatibility"] == "reference" and made["mean_pose"] == "MANO_RIGHT.pkl"
    return sorted(path.name for path in out.iterdir())


def test_a_midi_file_is_refused_by_s2c_in_words(scene, tmp_path):
    pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")
    settings_of(scene).piece = str(midi_files.piece(tmp_path / "piece.mid"))
    assert "MIDI" in fails("not-sound").message
