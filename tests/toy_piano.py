# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene for tests, made of boxes and balls: 88 keys after the scene contract, and fingertips that play them perfectly
(or not), so that what reads contact from scenes can be checked against what is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from s2c_blender.scene.action import write_curves
from s2c_blender.wire.keyboard import BALANCE_Y, BLACK_LENGTH, KEY_COUNT, KEY_HEIGHT, LOWEST, WHITE_LENGTH, Keyboard
from s2c_blender.wire.notes import NoteEvent

FPS = 60
START_FRAME = 61.0
ATTACK = 0.05  # from rest to the bottom
RADIUS = 0.006
HOVER = 0.025
KEYBOARD = Keyboard()

_BOX = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


@dataclass(frozen=True)
class Fault:
    """What goes wrong for a note: seconds late, semitones beside, metres above the key."""

    late: float = 0.0
    beside: int = 0
    above: float = 0.0


def build_keys(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    collection = bpy.data.collections.new("Piano")
    scene.collection.children.link(collection)
    scene["s2c_start_frame"] = START_FRAME
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    keys = []
    for key in range(KEY_COUNT):
        half, top, front = KEYBOARD.half_width[key], KEYBOARD.top[key], KEYBOARD.front[key]
        length = BLACK_LENGTH if KEYBOARD.black[key] else WHITE_LENGTH
        corners = [(x, y, z) for x in (-half, half) for y in (front, front + length) for z in (top - KEY_HEIGHT, top)]
        mesh = bpy.data.meshes.new(f"Key {LOWEST + key}")
        mesh.from_pydata([(x, y - BALANCE_Y, z - top) for x, y, z in corners], [], _BOX)
        ob = bpy.data.objects.new(mesh.name, mesh)
        ob.location = (KEYBOARD.x[key], BALANCE_Y, top)
        ob["midi_pitch"] = LOWEST + key
        collection.objects.link(ob)
        keys.append(ob)
    return keys


def share_curve(notes: Sequence[NoteEvent], pitch: int) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints (seconds) and share of the travel of an ideal key: at 0.8 at each onset, at 0.5 at each note-off."""
    times, shares = [-1.0], [0.0]
    for note in sorted((n for n in notes if n.pitch == pitch), key=lambda n: n.onset):
        times += [note.onset - 0.8 * ATTACK, note.onset + 0.2 * ATTACK, note.offset - 0.5 * ATTACK, note.offset + 0.5 * ATTACK]
        shares += [0.0, 1.0, 1.0, 0.0]
    return np.array(times), np.array(shares)


def animate_keys(keys: list[bpy.types.Object], notes: Sequence[NoteEvent]) -> None:
    for pitch in {note.pitch for note in notes}:
        key = pitch - LOWEST
        times, shares = share_curve(notes, pitch)
        # Every frame and the breakpoints: the front edge goes down linearly with the share.
        every = np.union1d(np.arange(times[0], times[-1], 1 / 240), times)
        angle = np.arcsin(np.interp(every, times, shares) * KEYBOARD.dip[key] / (BALANCE_Y - KEYBOARD.front[key]))
        write_curves(keys[key], "Keys", {("rotation_euler", 0, "Key"): (START_FRAME + every * FPS, angle)})


def ball(name: str, *, side: str, bone: str) -> bpy.types.Object:
    """A ball with a vertex at its lowest point, all of whose weight lies on one bone."""
    rings, around = 8, 12
    vertices = [(0.0, 0.0, -RADIUS), (0.0, 0.0, RADIUS)]
    for ring in range(1, rings):
        a = np.pi * ring / rings
        for step in range(around):
            b = 2 * np.pi * step / around
            vertices.append((RADIUS * np.sin(a) * np.cos(b), RADIUS * np.sin(a) * np.sin(b), -RADIUS * np.cos(a)))
    at = lambda ring, step: 2 + (ring - 1) * around + step % around  # noqa: E731
    faces: list[tuple[int, ...]] = [(0, at(1, s + 1), at(1, s)) for s in range(around)]
    faces += [(1, at(rings - 1, s), at(rings - 1, s + 1)) for s in range(around)]
    faces += [(at(r, s), at(r, s + 1), at(r + 1, s + 1), at(r + 1, s)) for r in range(1, rings - 1) for s in range(around)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    ob = bpy.data.objects.new(name, mesh)
    ob["s2c_hand"] = side
    ob.vertex_groups.new(name=bone).add(range(len(vertices)), 1.0, "REPLACE")
    return ob


def perform(
    scene: bpy.types.Scene,
    notes: Sequence[NoteEvent],
    *,
    finger_of: Callable[[int], int] = lambda i: i % 10,
    faults: dict[int, Fault] | None = None,
) -> list[bpy.types.Object]:
    """Ten balls; the i-th note is played by ball `finger_of(i)` (5 * hand + finger), as its fault says. Notes of one ball
    must not overlap."""
    balls = []
    for finger in range(10):
        side, suffix = ("right", ".R") if finger < 5 else ("left", ".L")
        bone = ("thumb3", "index3", "middle3", "ring3", "pinky3")[finger % 5] + suffix
        ob = ball(f"Tip {finger}", side=side, bone=bone)
        scene.collection.objects.link(ob)
        path = [(-1.0, (0.1 * finger, -0.3, 0.1))]
        for i, note in enumerate(notes):
            if finger_of(i) == finger:
                path += _strike(note, (faults or {}).get(i, Fault()))
        times, places = zip(*path, strict=True)
        frames = START_FRAME + np.array(times) * FPS
        write_curves(ob, "Tips", {("location", axis, "Tip"): (frames, np.array(places)[:, axis]) for axis in range(3)})
        balls.append(ob)
    return balls


def _strike(note: NoteEvent, fault: Fault) -> list[tuple[float, tuple[float, float, float]]]:
    key = note.pitch + fault.beside - LOWEST
    x, y = KEYBOARD.x[key], 0.085 if KEYBOARD.black[key] else 0.02
    low = KEYBOARD.top[key] + RADIUS + fault.above
    down = low - KEYBOARD.travel(key, y)
    on, off = note.onset + fault.late, note.offset + fault.late
    steps = [
        (on - 1.2 * ATTACK, low + HOVER),
        (on - 0.8 * ATTACK, low),
        (on + 0.2 * ATTACK, down),
        (off - 0.5 * ATTACK, down),
        (off + 0.5 * ATTACK, low),
        (off + 0.9 * ATTACK, low + HOVER),
    ]
    return [(time, (x, y, z)) for time, z in steps]
