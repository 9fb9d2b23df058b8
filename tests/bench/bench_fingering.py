# SPDX-License-Identifier: GPL-3.0-or-later
"""How well merged files are split between the hands, and what the fingering costs: one line per piece of a folder.

`python -m tests.bench.bench_fingering FOLDER [--json FILE]`; pieces must tell the hands apart themselves.
"""

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.perform.fingering import assign_fingers
from backend.perform.hands_split import assign_hands
from backend.perform.playable import TOGETHER
from backend.score import merge_hands, read_midi
from s2c_blender.wire.keyboard import KEY_COUNT, LOWEST, Keyboard
from s2c_blender.wire.notes import Fingering, Score

SAME_FINGER_WINDOW = 0.120  # seconds
SPEEDS = ("split_notes_per_second", "finger_notes_per_second")
LEGATO = 0.03  # seconds of silence up to which two notes still belong together


@dataclass(frozen=True)
class Row:
    """One piece. Shares are 0-1; `hands` and `middle_c` are not a number where the file does not tell the hands."""

    piece: str
    notes: int
    hands: float
    middle_c: float
    unplayed: int
    crossed: int
    stretched: int
    same_finger: int
    frames: float
    split_notes_per_second: float
    finger_notes_per_second: float


def measure(path: Path) -> Row:
    score = read_midi(path)
    hand = np.array([-1 if note.hand is None else note.hand for note in score.notes])
    begun = time.process_time()
    split = assign_hands(merge_hands(score))
    split_time = time.process_time() - begun
    begun = time.process_time()
    fingering = assign_fingers(score, assign_hands(score))
    finger_time = time.process_time() - begun
    known = hand >= 0
    pitch = np.array([note.pitch for note in score.notes])
    crossed, stretched, repeated = awkward(score, fingering)
    return Row(
        piece=path.stem,
        notes=len(score.notes),
        hands=float(np.mean(split[known] == hand[known])) if known.any() else float("nan"),
        middle_c=float(np.mean((pitch[known] < 60) == hand[known])) if known.any() else float("nan"),
        unplayed=int((~fingering.played).sum()),
        crossed=crossed,
        stretched=stretched,
        same_finger=repeated,
        frames=frame_score(score, fingering),
        split_notes_per_second=len(score.notes) / split_time,
        finger_notes_per_second=len(score.notes) / finger_time,
    )


def frame_score(score: Score, fingering: Fingering) -> float:
    """F1 at 100 Hz of the keys that the fingers should have down against the file's notes: the most that hands can reach."""
    wanted, held = (np.zeros((KEY_COUNT, round(score.duration * 100) + 10), dtype=bool) for _ in range(2))
    for i, note in enumerate(score.notes):
        key = note.pitch - LOWEST
        wanted[key, round(note.onset * 100) : round(note.offset * 100)] = True
        if fingering.played[i]:
            held[key, round(fingering.strike[i] * 100) : round(fingering.release[i] * 100)] = True
    return float(2 * (wanted & held).sum() / (wanted.sum() + held.sum()))


def awkward(score: Score, fingering: Fingering, *, span: float = 0.22) -> tuple[int, int, int]:
    """Notes reached by crossing fingers 2-5, by a stretch past the span, or by the same finger within 120 ms.

    Between successive strikes of a hand that are not separated by a rest: each note against the note before, and fingers that
    cross also against all notes of the strike before.
    """
    x = Keyboard().x
    crossed = stretched = repeated = 0
    for side in (0, 1):
        sign = 1.0 if side == 0 else -1.0
        mine = [i for i in np.argsort(fingering.strike, kind="stable") if fingering.hand[i] == side and fingering.played[i]]
        strikes = np.split(mine, 1 + np.flatnonzero(np.diff(fingering.strike[mine]) > TOGETHER))
        crossed += sum(_crosses(score, fingering, before, index, sign * x) for before, now in pairwise(strikes) for index in now)
        for before, now in pairwise(mine):
            a, b = score.notes[before], score.notes[now]
            if a.pitch == b.pitch or a.offset < b.onset - LEGATO:
                continue
            towards = sign * (x[b.pitch - LOWEST] - x[a.pitch - LOWEST])
            first, second = int(fingering.finger[before]), int(fingering.finger[now])
            held = fingering.release[before] > fingering.strike[now]
            stretched += bool(held and abs(towards) > span)
            repeated += first == second and fingering.strike[now] - fingering.strike[before] < SAME_FINGER_WINDOW
    return int(crossed), int(stretched), int(repeated)


def _crosses(score: Score, fingering: Fingering, before: Iterable[int], now: int, x: NDArray[np.float64]) -> bool:
    """Whether fingers 2-5 cross on the way from any of the notes `before`. x: (88,) of keys, away from the thumb."""
    note, finger = score.notes[now], int(fingering.finger[now])
    for index in before:
        other, number = score.notes[index], int(fingering.finger[index])
        towards = x[note.pitch - LOWEST] - x[other.pitch - LOWEST]
        bound = other.offset >= note.onset - LEGATO
        if bound and min(number, finger) > 1 and (finger - number) * towards < 0:
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of .mid files whose tracks are the two hands")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    rows = [measure(path) for path in sorted(arguments.folder.glob("*.mid"))]
    if not rows:
        parser.error(f"no .mid files in {arguments.folder}")
    print(f"{'piece':<44}{'notes':>6}{'hands':>7}{'mid C':>7}{'unpl.':>6}{'cross':>6}{'wide':>5}{'same':>5}{'frames':>7}{'n/s':>8}")
    for row in rows:
        print(
            f"{row.piece:<44}{row.notes:>6}{row.hands:>7.3f}{row.middle_c:>7.3f}{row.unplayed:>6}"
            f"{row.crossed:>6}{row.stretched:>5}{row.same_finger:>5}{row.frames:>7.3f}"
            f"{row.finger_notes_per_second:>8.0f}"
        )
    notes = sum(row.notes for row in rows)
    weighted = {name: sum(getattr(row, name) * row.notes for row in rows) / notes for name in ("hands", "middle_c", "frames")}
    mean = float(np.mean([row.hands for row in rows]))
    odd = sum(row.crossed + row.stretched + row.same_finger for row in rows)
    print(
        f"hands right: {100 * weighted['hands']:.2f} % of notes, {100 * mean:.2f} % mean of pieces, worst "
        f"{100 * min(row.hands for row in rows):.1f} %; middle C {100 * weighted['middle_c']:.1f} %"
    )
    print(f"awkward: {odd} of {notes} notes ({1000 * odd / notes:.2f} in 1,000)")
    split, fingers = (notes / sum(row.notes / getattr(row, name) for row in rows) for name in SPEEDS)
    print(f"speed, of processor time: {split:.0f} notes a second split between the hands, {fingers:.0f} fingered")
    worst = min(row.frames for row in rows)
    print(f"frame F1 that these strikes and releases allow: {weighted['frames']:.4f}, worst {worst:.4f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
