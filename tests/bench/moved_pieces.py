# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces the solve has not been made with: those of a folder, each a few semitones higher or lower, and a little faster or slower.

python -m tests.bench.moved_pieces FOLDER OUT [--seed N]. Black and white keys change places, and with them fingers.
"""

import argparse
from pathlib import Path

import numpy as np
import pretty_midi

from s2c_blender.wire.keyboard import HIGHEST, LOWEST

SEMITONES = (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)
LONGER = (0.85, 0.92, 1.1)  # times as long


def moved(piece: pretty_midi.PrettyMIDI, semitones: int, longer: float) -> pretty_midi.PrettyMIDI:
    """The piece otherwise; what is no longer on the keyboard is left out. Changes the piece's own notes."""
    result = pretty_midi.PrettyMIDI()
    for instrument in piece.instruments:
        for note in instrument.notes:
            note.pitch += semitones
            note.start, note.end = note.start * longer, note.end * longer
        for change in instrument.control_changes:
            change.time *= longer
        instrument.notes = [note for note in instrument.notes if LOWEST <= note.pitch <= HIGHEST]
        result.instruments.append(instrument)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    for path in sorted(options.folder.glob("*.mid")):
        semitones, longer = int(random.choice(SEMITONES)), float(random.choice(LONGER))
        piece = moved(pretty_midi.PrettyMIDI(str(path)), semitones, longer)
        piece.write(str(options.out / f"{path.stem}_{semitones:+d}_{longer:.2f}.mid"))


if __name__ == "__main__":
    main()
