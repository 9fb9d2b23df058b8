# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact of hands and keys, measured from the finished scene: what a viewer would see, not what the solve believes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion.contact_body import Closest, closest_fingers, closest_hands, closest_to_board
from ..motion.contact_keys import KeyShapes, find_touches
from ..motion.contact_report import Body, ContactReport, Fit
from ..motion.contact_scores import NO_FINGER, Press, find_presses, held_spans, part_name, reference_notes, score_notes
from ..motion.hand_rig import skeleton_of
from ..motion.joint_limits import violations
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.notes import Score
from .contact_sampling import SceneSampler, as_rendered, hand_meshes, key_objects

Array = NDArray[np.floating]
#: Rotations (T, 2, 16, 4) of a clip to (T, 2): is a joint outside its range?
Limits = Callable[[Array], NDArray[np.bool_]]

RATE = 240.0
HELD_MARGIN = 0.030  # seconds from a note's ends within which the fit to the key is not looked at
_BESIDE = 0.3  # seconds looked at on either side, so that notes at the edges find their presses
_AFTER = 0.25  # seconds after the last note-off
_BODY_RATE = 30.0  # samples a second for distances of hands and fingers: overlaps last
_CHUNK = 240  # samples held in memory at once


@dataclass(frozen=True)
class _Trace:
    """What was seen: for sample and key, where a hand is below the key's resting top (N,); and per sample, penetration (T,)."""

    times: Array
    shapes: KeyShapes
    sample: NDArray[np.intp]
    key: NDArray[np.intp]
    depth: Array
    gap: Array
    finger: NDArray[np.intp]
    penetrated: NDArray[np.intp]  # keys
    penetration: Array
    penetrating: NDArray[np.intp]  # fingers


def measure_scene(
    scene: bpy.types.Scene | None = None,
    *,
    clip: Clip | Score | None = None,
    start: float = 0.0,
    end: float | None = None,
    rate: float = RATE,
    limits: Limits | None = None,
) -> ContactReport:
    """Measure a scene that follows the scene contract, between two times in seconds.

    `clip`: what should be played; None takes the file that `scene["s2c_take"]` names. With a bare Score nothing is known of
    fingers, rolled chords and joint limits. `limits`: which frames of rotations (T, 2, 16, 4) are out of range, (T, 2); by
    default those of our own hand. Raises PianoHandsError('bad-scene' or 'bad-clip').
    """
    began = perf_counter()
    scene = scene or bpy.context.scene
    clip = clip or _take_of(scene)
    score, fingering = (clip, None) if isinstance(clip, Score) else (clip.score, clip.fingering)
    end = min(score.duration + _AFTER, np.inf if end is None else end)
    times = np.arange(round((start - _BESIDE) * rate), round((end + _BESIDE) * rate) + 1) / rate
    with as_rendered(scene, hand_meshes(scene) + key_objects(scene)):
        sampler = SceneSampler(scene, first=float(times[0]), last=float(times[-1]))
        trace = _trace(sampler, times)
        fingers, hands, board = _closest(sampler, start, end)
    notes = reference_notes(score, fingering)
    presses = _presses(trace)
    return ContactReport(
        start=start,
        end=end,
        rate=rate,
        scores=score_notes(notes, presses, start=start, end=end),
        fit=_fit(trace, (times >= start) & (times <= end), held_spans(notes, presses, HELD_MARGIN)),
        body=Body(
            limit_violations=None if isinstance(clip, Score) else _violations(clip, start, end, limits),
            hands_distance=_finite(hands.distance),
            hands_time=_finite(hands.time),
            fingers_distance=_finite(fingers.distance),
            fingers_time=_finite(fingers.time),
            fingers=fingers.what,
            board_distance=_finite(board.distance),
            board_time=_finite(board.time),
        ),
        way=sampler.way,
        seconds=perf_counter() - began,
    )


def _take_of(scene: bpy.types.Scene) -> Clip:
    name = scene.get("s2c_take")
    if not name:
        raise PianoHandsError("bad-scene", "The scene does not name its take (s2c_take).", "Give the take or the MIDI file.")
    return Clip.load(Path(bpy.path.abspath(str(name))))


def _trace(sampler: SceneSampler, times: Array) -> _Trace:
    pitches, vertices, rest = sampler.rest_keys()
    shapes = KeyShapes.measure(pitches, vertices, rest[:, 1, 3])
    finger = sampler.finger
    touches, inside = [], []
    for first in range(0, len(times), _CHUNK):
        cloud, matrices = sampler.near(times[first : first + _CHUNK], shapes.box)
        found, penetration = find_touches(shapes, cloud, _to_rest(rest, matrices))
        touches.append((found.sample + first, *_small(found.key, found.depth, found.gap, finger[found.point])))
        inside.append(_small(penetration.key, penetration.depth, finger[penetration.point]))
    columns = [np.concatenate(parts) for rows in (touches, inside) for parts in zip(*rows, strict=True)]
    return _Trace(times, shapes, *columns)


def _small(*columns: NDArray) -> list[NDArray]:
    """An hour has a million samples: keep them in few bytes."""
    return [column.astype(np.float32 if column.dtype.kind == "f" else np.int16) for column in columns]


def _to_rest(rest: Array, matrices: Array) -> Array:
    """(T, K, 3, 4) from each moved key to itself at rest. Keys have unit scale, so a transposed matrix turns back."""
    turn = rest[:, :3, :3] @ matrices[..., :3, :3].swapaxes(-1, -2)
    return np.concatenate([turn, rest[:, :3, 3:] - turn @ matrices[..., :3, 3:]], axis=-1)


def _presses(trace: _Trace) -> list[Press]:
    presses: list[Press] = []
    rate = (len(trace.times) - 1) / (trace.times[-1] - trace.times[0])
    for key in np.unique(trace.key):
        mine = trace.key == key
        depth = np.zeros(len(trace.times))
        finger = np.full(len(trace.times), NO_FINGER)
        depth[trace.sample[mine]] = trace.depth[mine]
        finger[trace.sample[mine]] = trace.finger[mine]
        presses += find_presses(depth, pitch=int(trace.shapes.pitch[key]), start=float(trace.times[0]), rate=rate, finger=finger)
    return sorted(presses, key=lambda press: (press.onset, press.pitch))


def _fit(trace: _Trace, inside: NDArray[np.bool_], spans: list[tuple[int, float, float]]) -> Fit:
    gaps = []
    key_of = {int(pitch): key for key, pitch in enumerate(trace.shapes.pitch)}
    rows = {key: np.flatnonzero(trace.key == key) for key in np.unique(trace.key)}
    for pitch, begin, finish in spans:
        row = rows[key_of[pitch]]
        time = trace.times[trace.sample[row]]
        chosen = row[(time >= begin) & (time <= finish)]
        gaps.append(np.abs(trace.gap[chosen[inside[trace.sample[chosen]]]]))
    gap = np.concatenate(gaps) if gaps else np.zeros(0)
    depth = trace.penetration[inside]
    worst = int(np.argmax(np.where(inside, trace.penetration, -1.0)))
    somewhere = trace.penetration[worst] > 0.0
    return Fit(
        gap_p95=float(np.percentile(gap, 95)) if len(gap) else 0.0,
        penetration_p99=float(np.percentile(depth, 99)),
        penetration_max=float(depth.max()),
        penetration_key=int(trace.shapes.pitch[trace.penetrated[worst]]) if somewhere else None,
        penetration_time=float(trace.times[worst]) if somewhere else None,
        penetration_by=part_name(int(trace.penetrating[worst])) if somewhere else "",
    )


def _closest(sampler: SceneSampler, start: float, end: float) -> tuple[Closest, Closest, Closest]:
    """Fingers of one hand; the two hands; hands and the fallboard."""
    surface = sampler.surface
    times = np.arange(start, end, 1.0 / _BODY_RATE)
    fingers, hands, board = Closest(), Closest(), Closest()
    skin = np.unique(surface.corners)
    for first in range(0, len(times), _CHUNK // 8):
        some = times[first : first + _CHUNK // 8]
        points = sampler.points_at(some)
        fingers = fingers.or_closer(closest_fingers(surface, points, some))
        hands = hands.or_closer(closest_hands(surface, points, some))
        board = board.or_closer(closest_to_board(points[:, skin], some))
    return fingers, hands, board


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _violations(clip: Clip, start: float, end: float, limits: Limits | None) -> float | None:
    if limits is None:
        limits = partial(violations, skeleton_of(clip))
    inside = (clip.times >= start) & (clip.times <= end)
    return float(limits(clip.rotation[inside]).any(axis=1).mean()) if inside.any() else None
