# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the fingers play the notes? Contact of fingertips and keys, computed from a clip without Blender. NumPy only.

Keys are boxes, hands the skin of their fingertips: quicker and rougher than what is measured in the finished scene.
"""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.contact_keys import NARROWED, TOO_DEEP
from s2c_blender.motion.contact_scores import NO_FINGER, NoteScores, Press, find_presses, reference_notes, score_notes
from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.motion.skeleton import pad_points
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.keyboard import BLACK_FRONT, KEY_COUNT, LOWEST, WHITE_COUNT, WHITE_LENGTH, Keyboard

Array = NDArray[np.floating]

_BLOCK = 600  # frames


def note_scores(clip: Clip) -> NoteScores:
    """Of the clip's own notes, over its score's length."""
    notes = reference_notes(clip.score, clip.fingering)
    return score_notes(notes, presses(clip), start=0.0, end=clip.score.duration)


def presses(clip: Clip) -> list[Press]:
    """What is struck, in order."""
    keyboard, skeleton = Keyboard(clip.octave), skeleton_of(clip)
    parts = list[tuple[Array, NDArray[np.intp]]]()
    for first in range(0, len(clip.rotation), _BLOCK):
        block = slice(first, first + _BLOCK)
        points = pad_points(skeleton, clip.rotation[block].astype(float), clip.translation[block].astype(float))
        parts.append(_depths(points.reshape(len(points), 10, -1, 3), keyboard))
    depth, finger = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    found = list[Press]()
    for key in np.flatnonzero(depth.any(axis=0)):
        found += find_presses(depth[:, key], pitch=int(key) + LOWEST, start=clip.start, rate=clip.rate, finger=finger[:, key])
    return sorted(found, key=lambda press: (press.onset, press.pitch))


def _depths(points: Array, keyboard: Keyboard) -> tuple[Array, NDArray[np.intp]]:
    """Points (T, 10, P, 3) of fingers to each key's depth (T, 88) as a share of its travel, and which finger is deepest."""
    key = _keys_under(points[..., 0], points[..., 1], keyboard)
    below = keyboard.top[key] - points[..., 2]
    share = np.where((key >= 0) & (below > 0) & (below < TOO_DEEP), below / keyboard.travel(key, points[..., 1]), 0.0)
    depth = np.zeros((len(points), KEY_COUNT))
    finger = np.full(depth.shape, NO_FINGER, dtype=np.intp)
    for each in range(points.shape[1]):
        mine = np.zeros_like(depth)
        frame = np.arange(len(points))[:, None]
        np.maximum.at(mine, (frame, np.maximum(key[:, each], 0)), share[:, each])
        finger[mine > depth] = each
        depth = np.maximum(depth, mine)
    return depth, finger


def _keys_under(x: Array, y: Array, keyboard: Keyboard) -> NDArray[np.intp]:
    """Index of the key whose top lies under a place, -1 for none. Between black keys' fronts and the fallboard they come first."""
    white, black = np.flatnonzero(~keyboard.black), np.flatnonzero(keyboard.black)
    near = white[np.clip(((x + 0.5 * keyboard.width) / keyboard.white_pitch).astype(np.intp), 0, WHITE_COUNT - 1)]
    found = np.where(np.abs(x - keyboard.x[near]) < keyboard.half_width[near] - NARROWED, near, -1)
    at = np.clip(np.searchsorted(keyboard.x[black], x), 1, len(black) - 1)
    left = np.abs(x - keyboard.x[black[at - 1]]) < np.abs(x - keyboard.x[black[at]])
    beside = black[np.where(left, at - 1, at)]
    over = (y > BLACK_FRONT) & (np.abs(x - keyboard.x[beside]) < keyboard.half_width[beside])
    found = np.where(over, beside, found)
    return np.where((y > NARROWED) & (y < WHITE_LENGTH), found, -1)
