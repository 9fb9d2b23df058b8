# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend fingering`: which hand and finger plays each note, as a table or as JSON."""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError, write_failed
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import UNPLAYED, Fingering, Score, pitch_name

from . import config
from .perform.fingering import assign_fingers
from .perform.hands_split import assign_hands
from .score import merge_hands, read_midi

DEFAULT_SPAN_CM = 22.0
NEAR = 0.05  # seconds within which another note on the key can be the same press


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "fingering",
        help="say which hand and finger plays each note of a MIDI file",
        description="Says which hand and finger plays each note of a MIDI file: a table, or JSON with -o.",
    )
    parser.add_argument("piece", type=Path, metavar="PIECE.mid", help="MIDI file, format 0 or 1")
    parser.add_argument("--merge-tracks", action="store_true", help="forget what the file says about hands")
    parser.add_argument("-o", "--out", type=Path, metavar="OUT.json", help="write JSON there instead of printing a table")
    parser.add_argument(
        "--hand-size", type=float, default=DEFAULT_SPAN_CM, metavar="CM", help="span from thumb to little finger (default: 22)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the command line asks. Returns the exit status; raises PianoHandsError for what the person can mend."""
    smallest, largest = config.SMALLEST_SPAN * 100, config.LARGEST_SPAN * 100
    if not smallest <= arguments.hand_size <= largest:
        raise PianoHandsError(
            "bad-hand-size",
            f"A hand does not span {arguments.hand_size:g} cm.",
            f"Give a span between {smallest:g} and {largest:g} cm; 22 is usual.",
        )
    score = read_midi(arguments.piece)
    if arguments.merge_tracks:
        score = merge_hands(score)
    fingering = assign_fingers(score, assign_hands(score), span=arguments.hand_size / 100.0)
    if arguments.out is not None:
        _write(arguments.out, json.dumps(_records(score, fingering), indent=0))
        print(f"{len(score.notes)} notes written to {arguments.out}")
    else:
        _print_table(score, fingering)
    return 0


def _records(score: Score, fingering: Fingering) -> list[dict[str, object]]:
    return [
        {
            "onset": note.onset,
            "offset": note.offset,
            "pitch": note.pitch,
            "hand": HandSide(int(hand)).word,
            "finger": int(finger),
        }
        for note, hand, finger in zip(score.notes, fingering.hand, _best_guesses(score, fingering), strict=True)
    ]


def _best_guesses(score: Score, fingering: Fingering) -> NDArray[np.int8]:
    """Fingers 1-5 for all notes: one that is not played as written takes the finger of the nearest played note.

    Nearest in time first, then in pitch, within the same hand; a note doubled with the other hand is nearest to its twin.
    """
    guesses = fingering.finger.copy()
    onset = np.array([note.onset for note in score.notes])
    pitch = np.array([note.pitch for note in score.notes])
    for index in np.flatnonzero(~fingering.played):
        candidates = np.flatnonzero(fingering.played & (fingering.hand == fingering.hand[index]))
        if not len(candidates):
            guesses[index] = 1
            continue
        apart = np.abs(onset[candidates] - onset[index])
        apart = np.where(apart < NEAR, 0.0, apart)
        guesses[index] = guesses[candidates[np.lexsort((np.abs(pitch[candidates] - pitch[index]), apart))[0]]]
    return guesses


def _print_table(score: Score, fingering: Fingering) -> None:
    print(f"{'onset':>10}  {'offset':>10}  {'note':<5}{'velocity':>8}  {'hand':<6}finger")
    for note, hand, finger in zip(score.notes, fingering.hand, fingering.finger, strict=True):
        number = "-" if finger == UNPLAYED else str(finger)
        print(
            f"{note.onset:10.3f}  {note.offset:10.3f}  {pitch_name(note.pitch):<5}{note.velocity:>8}  "
            f"{HandSide(int(hand)).word:<6}{number}"
        )
    for remark in (*score.left_out, *fingering.remarks):
        print(f"! {remark}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise write_failed(path, error) from error
