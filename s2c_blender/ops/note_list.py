# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of a take's notes in the scene's settings: filled from a clip, and read for what the person wants otherwise."""

from pathlib import Path

import bpy

from ..properties import settings_of
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.hands import HandSide
from ..wire.messages import Fixed
from ..wire.notes import UNPLAYED
from .take_file import current_clip


def is_changed(note: bpy.types.PropertyGroup) -> bool:
    """Whether the person wants another finger or hand for it than plays."""
    return note.finger != note.played_finger or HandSide[note.hand] != note.played_hand


def list_notes(scene: bpy.types.Scene, clip: Clip) -> None:
    """The notes that fingers play, in order of time, into the scene's list; and their fingers' numbers, where those are shown."""
    from ..scene import finger_numbers

    notes = settings_of(scene).notes
    notes.clear()
    for event, hand, finger in zip(clip.score.notes, clip.fingering.hand, clip.fingering.finger, strict=True):
        if finger == UNPLAYED:
            continue
        note = notes.add()
        note.time, note.onset, note.pitch = f"{event.onset:.6f}", event.onset, event.pitch
        note.played_hand, note.played_finger = int(hand), int(finger)
        note.hand, note.finger = side_word(int(hand)), int(finger)
        note.fixed = event.finger is not None
    if finger_numbers.shown(scene):
        finger_numbers.show(scene, clip)


def kept_fingers(scene: bpy.types.Scene, piece: Path) -> tuple[Fixed, ...]:
    """Fingers that the person has fixed in the scene's take, if it is one of this piece."""
    if not settings_of(scene).keep_fingers or "s2c_take" not in scene:
        return ()
    try:
        clip = current_clip(scene)
    except PianoHandsError:
        return ()  # its file is gone: there is nothing to keep
    if clip.made.get("input") != piece.name:
        return ()
    speed = float(clip.made.get("speed", 1.0))
    return tuple(
        (event.onset * speed, event.pitch, int(hand), int(event.finger))
        for event, hand in zip(clip.score.notes, clip.fingering.hand, strict=True)
        if event.finger is not None
    )


def side_word(side: int) -> str:
    return HandSide(side).name


def wishes(scene: bpy.types.Scene) -> tuple[Fixed, ...]:
    return tuple(
        (float(note.time), note.pitch, int(HandSide[note.hand]), note.finger)
        for note in settings_of(scene).notes
        if is_changed(note)
    )
