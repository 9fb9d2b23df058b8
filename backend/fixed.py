# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers that a person has fixed, found again among the notes of a piece by onset and pitch."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.messages import Fixed
from s2c_blender.wire.notes import Score

from .source import Listener

SAME_ONSET = 0.02  # seconds by which the same note may be elsewhere, read or heard another time


def find_notes(score: Score, fixed: Sequence[Fixed]) -> tuple[dict[int, tuple[HandSide, int]], list[Fixed]]:
    """(hand, finger) by the note's index in the score, and those for which there is no note.

    Raises PianoHandsError('bad-finger').
    """
    found: dict[int, tuple[HandSide, int]] = {}
    lost: list[Fixed] = []
    for each in fixed:
        onset, pitch, hand, finger = each
        if hand not in tuple(HandSide) or finger not in range(1, 6):
            raise PianoHandsError(
                "bad-finger", f"There is no finger {finger} of hand {hand}.", "Fingers go from 1, the thumb, to 5."
            )
        first = bisect_left(score.notes, onset - SAME_ONSET, key=lambda note: note.onset)
        last = bisect_left(score.notes, onset + SAME_ONSET, key=lambda note: note.onset)
        near = [index for index in range(first, last) if score.notes[index].pitch == pitch and index not in found]
        if near:
            found[min(near, key=lambda index: abs(score.notes[index].onset - onset))] = HandSide(hand), finger
        else:
            lost.append(each)
    return found, lost


def with_fixed(score: Score, fixed: Sequence[Fixed], listener: Listener) -> Score:
    """The score whose notes know these hands and fingers. Warns of those that belong to no note."""
    if not fixed:
        return score
    found, lost = find_notes(score, fixed)
    if lost:
        listener.warn(
            PianoHandsError(
                "fingers-lost",
                f"{len(lost)} of {len(fixed)} fingers that you had fixed belong to no note of this piece.",
                "The others were kept. Is it the same piece, in the same tempo?",
            )
        )
    notes = list(score.notes)
    for index, (hand, finger) in found.items():
        notes[index] = replace(notes[index], hand=hand, finger=finger)
    return replace(score, notes=tuple(notes))
