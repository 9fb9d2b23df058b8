# SPDX-License-Identifier: GPL-3.0-or-later
"""How well notes are heard: pieces played on two sampled pianos, clean and degraded, transcribed, and compared with their MIDI.

`python -m tests.bench.bench_listen FOLDER`. Goals: onset F1 (50 ms) 0.985 clean and 0.97 degraded; contact of the finished
scene's hands with the MIDI, 0.97.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import mir_eval
import numpy as np

from backend.from_notes import first_seconds
from backend.listen.audio import mono_blocks
from backend.score import read_midi, write_midi
from s2c_blender.wire.notes import NoteEvent, Score

from . import pianos

ROOT = Path(__file__).parents[2]
Row = dict[str, float | str]

_HEADS = ("onset F1", "precision", "recall", "with ends", "sounding", "velocity r", "median ms", "s per s")
_TOLERANCE = 0.05  # seconds
_DOWN = 64  # of the pedal


def main() -> int:
    """Returns 0 when every piece could be measured."""
    options = _parser().parse_args()
    lacking = pianos.lacking()
    if lacking:
        print(f"error: {lacking}", file=sys.stderr)
        return 1
    pieces = sorted(options.folder.glob("*.mid"))[:: options.every][: options.pieces]
    import torch

    from backend.device import set_threads
    from backend.listen.draft import DraftTranscriber
    from backend.listen.transcribe import Transcriber

    warnings.filterwarnings("ignore", module="torch")
    set_threads()
    transcriber = DraftTranscriber.load() if options.draft else Transcriber.load(torch.device("cpu"))
    rows: list[Row] = []
    contacts: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="piano_hands_") as temporary:
        for number, piece in enumerate(pieces):
            score = _excerpt(piece, options.seconds)
            for font in pianos.SOUND_FONTS:
                made = _record(score, piece, font, Path(temporary))
                turn = font == list(pianos.SOUND_FONTS)[number % 2]
                for state, recording in made.items():
                    if state == "degraded" and not (turn or options.both):
                        continue
                    row = {"piece": piece.stem, "piano": font, "state": state} | listen(transcriber, recording, score)
                    rows.append(row)
                    print(_line(row), flush=True)
                if number < options.contact and turn:
                    contacts.append({"piece": piece.stem, "piano": font, "f1": contact(made["degraded"], Path(temporary))})
                    print(f"  contact of {piece.stem} from {font}, degraded: {contacts[-1]['f1']:.3f}", flush=True)
    for state in ("clean", "degraded"):
        for font in pianos.SOUND_FONTS:
            print(_line(_mean([row for row in rows if (row["state"], row["piano"]) == (state, font)], state, font)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"peak memory {peak:.0f} MB; {torch.get_num_threads()} threads")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "contacts": contacts, "megabytes": peak}, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_listen", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with .mid files")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="the first N seconds of each piece (20)")
    parser.add_argument("--pieces", type=int, default=8, metavar="N", help="so many pieces (8)")
    parser.add_argument("--every", type=int, default=3, metavar="N", help="every Nth piece of the folder (3)")
    parser.add_argument("--draft", action="store_true", help="by the draft transcriber")
    parser.add_argument("--both", action="store_true", help="degrade both pianos' sound, not one of them in turn")
    parser.add_argument("--contact", type=int, default=2, metavar="N", help="of the first N pieces make scenes too, from sound (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser


def _excerpt(piece: Path, seconds: float) -> Score:
    """The beginning of the piece; notes of one pitch that begin together are one sound."""
    score = first_seconds(read_midi(piece), seconds)
    last: dict[int, NoteEvent] = {}
    kept: list[NoteEvent] = []
    for note in score.notes:
        before = last.get(note.pitch)
        if before is None or note.onset - before.onset > _TOLERANCE:
            kept.append(note)
            last[note.pitch] = note
    return replace(score, notes=tuple(kept))


def _record(score: Score, piece: Path, font: str, folder: Path) -> dict[str, Path]:
    midi, clean, bad = (folder / f"{piece.stem}.{font}{suffix}" for suffix in (".mid", ".wav", ".mp3"))
    write_midi(score, midi)
    pianos.render(midi, font, clean)
    pianos.degraded(clean, bad)
    return {"clean": clean, "degraded": bad}


def listen(transcriber, recording: Path, score: Score) -> Row:
    """Transcribe, and compare with the notes that were played."""
    begin = time.monotonic()
    heard = transcriber.transcribe(mono_blocks(recording, rate=transcriber.rate), lambda seconds: None)
    took = time.monotonic() - begin
    (reference, pitches), (found, heard_pitches) = _arrays(score), _arrays(heard)
    compare = mir_eval.transcription.precision_recall_f1_overlap
    precision, recall, onsets, _ = compare(reference, pitches, found, heard_pitches, offset_ratio=None)
    ends = compare(reference, pitches, found, heard_pitches)[2]
    sounding = compare(_sustained(score), pitches, _sustained(heard), heard_pitches)[2]
    pairs = mir_eval.transcription.match_notes(reference, pitches, found, heard_pitches, offset_ratio=None)
    velocities = np.array([[score.notes[i].velocity, heard.notes[j].velocity] for i, j in pairs])
    spread = velocities.std(axis=0).min() if len(pairs) else 0.0
    late = [found[j, 0] - reference[i, 0] for i, j in pairs]
    return {
        "onset F1": onsets,
        "precision": precision,
        "recall": recall,
        "with ends": ends,
        "sounding": sounding,
        "velocity r": float(np.corrcoef(velocities.T)[0, 1]) if spread > 0 else float("nan"),
        "median ms": 1000 * float(np.median(late)) if late else float("nan"),
        "s per s": took / score.duration,
    }


def _arrays(score: Score) -> tuple[np.ndarray, np.ndarray]:
    intervals = np.array([[note.onset, note.offset] for note in score.notes]).reshape(-1, 2)
    return intervals, 440.0 * 2.0 ** ((np.array([note.pitch for note in score.notes]) - 69.0) / 12.0)


def _sustained(score: Score) -> np.ndarray:
    """Intervals (N, 2) until the sound ends: with the pedal down, until it comes up or the key is struck again."""
    changes = [(change.time, change.value >= _DOWN) for change in score.pedal]
    intervals = _arrays(score)[0]
    for number, note in enumerate(score.notes):
        down = next((value for time, value in reversed(changes) if time <= note.offset), False)
        up = next((time for time, value in changes if time > note.offset and not value), score.duration) if down else note.offset
        again = next((other.onset for other in score.notes[number + 1 :] if other.pitch == note.pitch), np.inf)
        intervals[number, 1] = max(min(up, again), note.onset + 0.01)
    return intervals


def contact(recording: Path, folder: Path) -> float:
    """Note F1 of the hands in the finished scene of a recording against the MIDI beside it."""
    out = folder / "scene"
    make = [sys.executable, "-m", "s2c_blender.cli", "demo", "--input", str(recording), "--out", str(out), "--no-render"]
    subprocess.run(make, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    midi = recording.with_suffix(".mid")
    look = [sys.executable, "-m", "tests.bench.contact_with_midi", str(out / "scene.blend"), str(midi)]
    said = subprocess.run(look, cwd=ROOT, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    return float(json.loads(said.strip().splitlines()[-1])["f1"])


def _mean(rows: list[Row], state: str, font: str) -> Row:
    return {"piece": "MEAN", "piano": font, "state": state} | {
        head: float(np.nanmean([float(row[head]) for row in rows])) if rows else float("nan") for head in _HEADS
    }


def _line(row: Row) -> str:
    name = f"{row['piece']!s:.32}".ljust(32) + f" {row['piano']!s:10}{row['state']!s:9}"
    return name + "".join(f"  {head} {float(row[head]):.3f}" for head in _HEADS)


if __name__ == "__main__":
    sys.exit(main())
