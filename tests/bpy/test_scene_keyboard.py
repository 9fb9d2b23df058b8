# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys in the scene: true to the figures, free of the body and of each other, and moved as the profile says."""

import pytest

bpy = pytest.importorskip("bpy")

import numpy as np  # noqa: E402
from mathutils import Matrix, Vector  # noqa: E402
from mathutils.bvhtree import BVHTree  # noqa: E402

from s2c_blender.motion.key_motion import key_motion  # noqa: E402
from s2c_blender.scene.key_action import animate_keys  # noqa: E402
from s2c_blender.scene.keyboard import build_keys, key_angle  # noqa: E402
from s2c_blender.scene.pedal import pedal_curve  # noqa: E402
from s2c_blender.scene.piano_body import build_body  # noqa: E402
from s2c_blender.wire.keyboard import BALANCE_Y, LET_OFF, LOWEST, Keyboard  # noqa: E402
from s2c_blender.wire.notes import Fingering, NoteEvent, PedalEvent, Score  # noqa: E402

BOARD = Keyboard()


@pytest.fixture(scope="module", params=[0.1645, 0.1524])
def piano(request):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    board = Keyboard(request.param)
    return board, build_keys(board, bpy.context.scene.collection), build_body(board, bpy.context.scene.collection)


def _points(thing, angle=0.0):
    matrix = Matrix.Translation(thing.location) @ Matrix.Rotation(angle, 4, "X")
    return np.array([matrix @ vertex.co for vertex in thing.data.vertices])


def _tree(thing, angle=0.0):
    faces = [tuple(face.vertices) for face in thing.data.polygons]
    return BVHTree.FromPolygons([Vector(point) for point in _points(thing, angle)], faces)


def test_every_key_is_an_object_of_its_own(piano):
    board, keys, _ = piano
    assert sorted(keys) == list(range(21, 109))
    for pitch, key in keys.items():
        assert key["midi_pitch"] == pitch
        assert tuple(key.scale) == (1.0, 1.0, 1.0)
        assert key.parent is None
        assert tuple(key.location) == pytest.approx((board.x[pitch - LOWEST], BALANCE_Y, 0.0), abs=1e-6)


def test_footprints_have_the_measures_of_the_figures(piano):
    board, keys, _ = piano
    for pitch, key in keys.items():
        i = pitch - LOWEST
        points = _points(key)
        assert points[:, 2].max() == pytest.approx(board.top[i], abs=1e-6)
        near_top = points[points[:, 2] > points[:, 2].max() - 0.0015]
        low, high = near_top.min(axis=0), near_top.max(axis=0)
        assert (low[0], high[0]) == pytest.approx((board.x[i] - board.half_width[i], board.x[i] + board.half_width[i]), abs=2e-4)
        assert low[1] == pytest.approx(board.front[i], abs=2e-4)
        assert high[1] == pytest.approx(0.148 if board.black[i] else 0.150, abs=2e-4)


def test_faces_look_outwards(piano):
    _, keys, body = piano
    for thing in {key.data: key for key in keys.values()}.values():
        top = max(thing.data.polygons, key=lambda face: face.center.z)
        assert top.normal.z > 0.9
    assert all(face.normal.length > 0.5 for thing in body for face in thing.data.polygons)


def test_a_pressed_key_goes_down_by_its_dip(piano):
    board, _, _ = piano
    for pitch in (60, 61):
        i = pitch - LOWEST
        front = Vector((0.0, board.front[i] - BALANCE_Y, 0.0))
        moved = Matrix.Rotation(key_angle(pitch, board), 3, "X") @ front
        assert -moved.z == pytest.approx(board.dip[i], abs=1e-6)


def test_keys_touch_neither_the_body_nor_each_other_up_or_down(piano):
    board, keys, body = piano
    bodies = [_tree(thing) for thing in body]
    for pitch in range(21, 109):
        own = [_tree(keys[pitch], share * key_angle(pitch, board)) for share in (0.0, 0.5, 1.0)]
        assert not any(tree.overlap(other) for tree in own for other in bodies), pitch
        for neighbour in (pitch + 1, pitch + 2):
            if neighbour in keys:
                others = [_tree(keys[neighbour], share * key_angle(neighbour, board)) for share in (0.0, 1.0)]
                assert not any(tree.overlap(other) for tree in own for other in others), (pitch, neighbour)


def test_the_body_leaves_the_hands_their_space(piano):
    board, _, body = piano
    half = 0.5 * board.width + 0.05
    for thing in body:
        if thing.name.startswith("Room"):
            continue
        points = _points(thing)
        within = (np.abs(points[:, 0]) < half) & (points[:, 1] < 0.148) & (points[:, 1] > -0.45) & (points[:, 2] > 0.0)
        assert not within.any(), thing.name


def test_keys_move_evenly_between_the_hands_frames_and_let_off_at_the_strike(piano):
    board, keys, _ = piano
    notes = tuple(
        NoteEvent(t, t + 0.1, pitch, velocity)
        for t, pitch, velocity in ((0.0, 60, 30), (0.11, 60, 90), (0.2, 61, 64), (0.5, 60, 127))
    )
    onset, offset = np.array([(note.onset, note.offset) for note in notes]).T
    score, fingering = Score(notes), Fingering(np.zeros(4, np.int8), np.ones(4, np.int8), onset, offset)
    motion = key_motion(score, fingering)
    scene = bpy.context.scene
    times = np.arange(-48, 49) / 48.0
    animate_keys(keys, motion, board, times=times, fps=24.0, start_frame=31.0)
    for time in np.arange(-0.2, 0.8, 0.0137):
        frame = 31.0 + 24.0 * time
        scene.frame_set(int(frame // 1), subframe=frame % 1.0)
        for pitch in (60, 61, 62):
            share = np.interp(time, times, motion.at_frames(pitch - LOWEST, times))
            assert keys[pitch].rotation_euler.x == pytest.approx(share * key_angle(pitch, board), abs=2e-5)
    for key, strikes in motion.strikes.items():
        pressed = np.interp(strikes, times, motion.at_frames(key, times))
        assert pressed == pytest.approx(np.full(len(strikes), LET_OFF), abs=1e-6)
    assert keys[62].animation_data is None or keys[62].animation_data.action is None


def test_the_pedal_has_arrived_when_the_score_says():
    events = [PedalEvent(1.0, 127), PedalEvent(2.0, 0), PedalEvent(2.02, 127), PedalEvent(3.0, 64)]
    times, shares = pedal_curve(events)
    assert np.all(np.diff(times) > 0.0)
    assert np.interp([0.5, 1.0, 1.5, 2.0, 2.02, 3.0, 4.0], times, shares) == pytest.approx([0, 1, 1, 0, 1, 64 / 127, 64 / 127])
