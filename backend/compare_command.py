# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend compare`: what the solve made of a motion, notes played and motion left, before and after."""

import argparse
from pathlib import Path

from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError

from .evaluation.contact import note_scores
from .perform.likeness import likeness


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "compare",
        help="say how two takes of the same notes differ",
        description="Says how well two takes of the same notes play them, and how much of the first one's motion is left in the "
        "second: usually as generated (--on-keys 0) and as solved.",
        epilog="example: python -m backend compare generated.npz solved.npz",
    )
    parser.add_argument("before", type=Path, metavar="BEFORE.npz", help="a take, as generated")
    parser.add_argument("after", type=Path, metavar="AFTER.npz", help="the same, as solved")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints three sentences. Raises PianoHandsError where the takes do not belong together."""
    before, after = Clip.load(arguments.before), Clip.load(arguments.after)
    _require_same(before, after)
    for name, clip in (("before", before), ("after", after)):
        scores = note_scores(clip)
        print(
            f"{name}: note F1 {scores.notes.f1:.3f}, frame F1 {scores.frames.f1:.3f}, "
            f"95 % of the onsets within {1e3 * scores.timing_p95:.1f} ms"
        )
    print(likeness(before, after, skeleton_of(after)).in_words())
    return 0


def _require_same(before: Clip, after: Clip) -> None:
    def heard(clip: Clip) -> list[tuple[float, int]]:
        return [(note.onset, note.pitch) for note in clip.score.notes]

    if not after.score.notes or not before.score.notes:
        raise PianoHandsError("no-notes", "A take without notes cannot be compared.", "Give two takes that were laid on the keys.")
    if before.times.shape != after.times.shape or before.rate != after.rate or heard(before) != heard(after):
        raise PianoHandsError(
            "other-take",
            "These are not two takes of the same notes and frames.",
            "Make both from one input with the same --fps and --seconds.",
        )
