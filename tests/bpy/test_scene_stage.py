# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole take in a scene: the contract other tools rely on, and that a person's own things survive it."""

import wave

import pytest

bpy = pytest.importorskip("bpy")

import numpy as np  # noqa: E402
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

from s2c_blender.scene import render  # noqa: E402
from s2c_blender.scene.audio import place_sound, sound_strip  # noqa: E402
from s2c_blender.scene.stage import build_stage, remove_take  # noqa: E402
from s2c_blender.scene.timing import frame_at, rate  # noqa: E402
from s2c_blender.wire.clip import Clip, hand_rate  # noqa: E402
from s2c_blender.wire.keyboard import FALLBOARD_HEIGHT, FALLBOARD_LEAN, FALLBOARD_Y  # noqa: E402
from s2c_blender.wire.notes import Fingering, NoteEvent, PedalEvent, Score  # noqa: E402

KINDS = ("objects", "meshes", "materials", "actions", "collections", "cameras", "lights", "worlds", "sounds", "armatures")


def toy_clip(*, fps=30.0, start=-1.2):
    notes = tuple(NoteEvent(0.25 * i, 0.25 * i + 0.2, pitch, 80) for i, pitch in enumerate((50, 61, 64, 67, 72)))
    onset, offset = np.array([(note.onset, note.offset) for note in notes]).T
    fingering = Fingering(np.array([1, 0, 0, 0, 0], np.int8), np.ones(5, np.int8), onset, offset)
    count = int(3.0 * hand_rate(fps))
    rotation = np.zeros((count, 2, 16, 4), np.float32)
    rotation[..., 0] = 1.0
    translation = np.tile(np.float32([[0.1, -0.1, 0.06], [-0.15, -0.1, 0.06]]), (count, 1, 1))
    return Clip(rotation, translation, fps, start, Score(notes, (PedalEvent(0.5, 127), PedalEvent(1.0, 0))), fingering)


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "take.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 44100, 0, "NONE", ""))
        file.writeframes((10_000 * np.sin(np.arange(88_200) * 0.06)).astype("<i2").tobytes())
    return path


def counts():
    return {kind: len(getattr(bpy.data, kind)) for kind in KINDS}


def test_the_contract(scene, sound, tmp_path):
    clip = toy_clip()
    staged = build_stage(clip, tmp_path / "take.npz", audio_path=sound, scene=scene)
    assert scene["s2c_take"] == str(tmp_path / "take.npz")
    assert scene["s2c_start_frame"] == staged.start_frame == 37.0
    assert staged.start_frame - scene.frame_start >= clip.fps
    assert {key["midi_pitch"] for key in bpy.data.collections["Piano"].objects} == set(range(21, 109))
    assert scene.camera == staged.cameras["Camera front"]
    assert sound_strip(scene).channel == 1
    assert sound_strip(scene).frame_final_start == staged.start_frame
    assert (scene.sync_mode, scene.use_audio_scrub) == ("AUDIO_SYNC", True)
    assert {
        thing["s2c_hand"] for thing in bpy.data.collections["Hands"].objects if thing.type == "MESH" and "s2c_hand" in thing
    } == {
        "right",
        "left",
    }


def test_the_fallboard_stands_where_hands_keep_off_it(scene, tmp_path):
    build_stage(toy_clip(), tmp_path / "take.npz", scene=scene)
    board = bpy.data.objects["Piano fallboard"]
    points = np.array([board.matrix_world @ vertex.co for vertex in board.data.vertices])
    y, z = points[points[:, 2] < FALLBOARD_HEIGHT, 1:].T
    behind = y - (FALLBOARD_Y + FALLBOARD_LEAN * z)
    assert 0.0 < behind.min() < 0.002


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 23.976, 60.0])
def test_timing_of_any_rate(scene, tmp_path, fps):
    clip = toy_clip(fps=fps)
    staged = build_stage(clip, tmp_path / "take.npz", scene=scene)
    assert rate(scene) == pytest.approx(fps, rel=1e-6)
    assert frame_at(scene, 1.0) == pytest.approx(staged.start_frame + fps)
    assert scene.frame_end >= staged.start_frame + clip.score.duration * fps


def test_all_keys_rest_before_the_music(scene, tmp_path):
    staged = build_stage(toy_clip(), tmp_path / "take.npz", scene=scene)
    scene.frame_set(scene.frame_start)
    assert all(key.rotation_euler.x == 0.0 for key in staged.keys.values())
    scene.frame_set(int(staged.start_frame) + 3)
    assert staged.keys[50].rotation_euler.x > 0.02


def test_again_and_away_leave_only_the_persons_own(scene, sound, tmp_path):
    own = bpy.data.objects.new("Mine", bpy.data.meshes.new("Mine"))
    scene.collection.objects.link(own)
    group = bpy.data.collections.new("Hands")
    scene.collection.children.link(group)
    group.objects.link(own)
    before = counts()
    build_stage(toy_clip(), tmp_path / "a.npz", audio_path=sound, scene=scene)
    once = counts()
    build_stage(toy_clip(), tmp_path / "b.npz", audio_path=sound, scene=scene)
    assert counts() == once
    assert scene["s2c_take"] == str(tmp_path / "b.npz")
    assert remove_take(scene)
    assert counts() == before
    assert own.name in group.objects
    assert "s2c_start_frame" not in scene
    assert not scene.sequence_editor.strips
    assert not remove_take(scene)


def test_the_persons_camera_world_and_sound_stay(scene, sound, tmp_path):
    world = scene.world = bpy.data.worlds.new("Mine")
    scene.sequence_editor_create()
    mine = scene.sequence_editor.strips.new_sound("mine", str(sound), 1, 1)
    build_stage(toy_clip(), tmp_path / "take.npz", audio_path=sound, scene=scene)
    assert scene.world == world
    assert sound_strip(scene).channel == 2
    remove_take(scene)
    assert list(scene.sequence_editor.strips) == [mine]


def test_a_sound_may_start_between_frames(scene, sound):
    scene.sequence_editor_create()
    scene.render.fps = 24
    strip = place_sound(scene, sound, frame=10.25)
    assert strip.frame_final_start == 10
    assert strip.sound_offset == pytest.approx(0.25 / 24)


def test_the_sound_is_found_beside_a_saved_file(scene, sound, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    build_stage(toy_clip(), tmp_path / "take.npz", audio_path=sound, scene=scene)
    assert sound_strip(scene).sound.filepath == "//take.wav"


def test_cameras_see_the_hands_and_the_keys_used(scene, tmp_path):
    staged = build_stage(toy_clip(), tmp_path / "take.npz", scene=scene)
    bpy.context.view_layer.update()
    used = [Vector((staged.keys[pitch].location.x, y, 0.0)) for pitch in (50, 61, 64, 67, 72) for y in (0.0, 0.15)]
    wrists = [Vector((0.1, -0.1, 0.06)), Vector((-0.15, -0.1, 0.06))]
    for name, points in (("Camera front", used + wrists), ("Camera top", used + wrists), ("Camera close", wrists)):
        for point in points:
            x, y, depth = world_to_camera_view(scene, staged.cameras[name], point)
            assert 0.0 < x < 1.0 and 0.0 < y < 1.0 and depth > 0.0, (name, tuple(point))


def test_render_settings_come_back(scene, sound, tmp_path):
    staged = build_stage(toy_clip(fps=60.0), tmp_path / "take.npz", audio_path=sound, scene=scene)
    engine, size = scene.render.engine, scene.render.resolution_x
    film = render.render_preview(scene, tmp_path / "preview.mp4", seconds=0.1, size=(64, 36))
    assert (film.frames, film.fps) == (3, 30.0)
    assert film.path.stat().st_size > 500
    stills = render.render_stills(scene, tmp_path / "stills", [0.1], cameras=[staged.cameras["Camera top"]], size=(64, 36))
    assert [path.exists() for path in stills] == [True]
    assert (scene.render.engine, scene.render.resolution_x, scene.render.image_settings.file_format) == (engine, size, "PNG")
    assert scene.camera == staged.cameras["Camera front"]
    assert len(bpy.data.scenes) == 1
