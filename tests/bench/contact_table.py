# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure every MIDI file of a folder, each in a Blender process of its own, and print one table; `build.py bench` starts it."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Figures = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One figure of the table: where it stands in a measurement, how it is shown, and which end of it is bad."""

    head: str
    path: str
    scale: float
    digits: int
    worst: Callable[[Iterable[float]], float]

    @property
    def width(self) -> int:
        return max(len(self.head), self.digits + 5)

    def of(self, figures: Figures) -> float | None:
        value: Any = figures
        for step in self.path.split("."):
            value = None if value is None else value.get(step)
        return None if value is None else value * self.scale

    def text(self, value: float | None) -> str:
        return ("-" if value is None else f"{value:.{self.digits}f}").rjust(self.width)


COLUMNS = (
    Column("note F1", "contact.scores.notes.f1", 1.0, 3, min),
    Column("frame F1", "contact.scores.frames.f1", 1.0, 3, min),
    Column("P95 ms", "contact.scores.timing_p95", 1e3, 1, max),
    Column("max ms", "contact.scores.timing_max", 1e3, 1, max),
    Column("gap mm", "contact.fit.gap_p95", 1e3, 2, max),
    Column("pen mm", "contact.fit.penetration_p99", 1e3, 2, max),
    Column("max mm", "contact.fit.penetration_max", 1e3, 2, max),
    Column("finger", "contact.scores.right_finger", 1.0, 3, min),
    Column("hands mm", "contact.body.hands_distance", 1e3, 1, min),
    Column("fingers mm", "contact.body.fingers_distance", 1e3, 1, min),
    Column("board mm", "contact.body.board_distance", 1e3, 1, min),
    Column("limits %", "contact.body.limit_violations", 100.0, 2, max),
    Column("s per s", "seconds_per_second", 1.0, 3, max),
    Column("solve MB", "backend_megabytes", 1.0, 0, max),
    Column("Blender MB", "blender_megabytes", 1.0, 0, max),
)


def main() -> int:
    """Returns 0 when every piece could be measured."""
    options = _parser().parse_args()
    pieces = (
        [options.folder]
        if options.folder.is_file()
        else sorted(path for path in options.folder.rglob("*") if path.suffix.lower() == ".mid")
    )
    if not pieces:
        print(f"error: there is no .mid file in {options.folder}", file=sys.stderr)
        return 1
    extra = [
        part
        for name in ("seconds", "measured", "sampled", "fps", "hand_size")
        if (value := getattr(options, name))
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    measured, failed = measure_all(pieces, extra, jobs=options.jobs)
    figures = [measured[piece] for piece in pieces if piece in measured]
    print("\n".join(table(figures)))
    if options.sampled:
        print(f"\n{options.sampled:g} s from a random place of each piece")
        print("\n".join(table([one | {"contact": one["sampled"]} for one in figures])))
    for piece, reason in failed.items():
        print(f"FAILED {piece.name}: {reason}")
    if options.json:
        options.json.write_text(json.dumps({"pieces": figures, "failed": {p.name: r for p, r in failed.items()}}, indent=1) + "\n")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.contact_table", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with .mid files, or one .mid file")
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds of each piece")
    parser.add_argument("--measured", type=float, metavar="N", help="solve whole pieces, measure contact on the first N seconds")
    parser.add_argument("--sampled", type=float, metavar="N", help="and on N seconds from a random place: a second table")
    parser.add_argument("--fps", type=int, metavar="N", help="the scene's frame rate (60)")
    parser.add_argument("--hand-size", type=float, metavar="CM", help="hand span in cm (22)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="pieces at a time (1); speeds are only true with 1")
    return parser


def measure_all(pieces: list[Path], extra: list[str], *, jobs: int) -> tuple[dict[Path, Figures], dict[Path, str]]:
    """Figures of the pieces that could be measured, and what was said of those that could not."""
    measured: dict[Path, Figures] = {}
    failed: dict[Path, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_measure, piece, extra): piece for piece in pieces}
        for done, future in enumerate(as_completed(running), 1):
            piece = running[future]
            figures, took = future.result()
            if isinstance(figures, str):
                failed[piece] = figures
            else:
                measured[piece] = figures
            outcome = "failed" if piece in failed else f"note F1 {COLUMNS[0].text(COLUMNS[0].of(measured[piece])).strip()}"
            print(f"[{done}/{len(pieces)}] {piece.stem}: {outcome} ({took:.0f} s)", file=sys.stderr, flush=True)
    return measured, failed


def _measure(piece: Path, extra: list[str]) -> tuple[Figures | str, float]:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "s2c_blender.cli", "measure", "--input", str(piece), "--json", str(record), *extra]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        took = time.monotonic() - begin
        if record.exists():
            return json.loads(record.read_text(encoding="utf-8")), took
        words = said.stderr.strip().partition("error: ")[2] or said.stderr.strip()[-300:] or f"exit code {said.returncode}"
        return " ".join(words.split()), took


def table(measured: list[Figures]) -> list[str]:
    """One line a piece, then means and the worst of every column."""
    wide = max((len(Path(figures["piece"]).stem) for figures in measured), default=5)
    lines = ["piece".ljust(wide) + "".join(f"  {column.head:>{column.width}}" for column in COLUMNS)]
    rows = {Path(figures["piece"]).stem: [column.of(figures) for column in COLUMNS] for figures in measured}
    known = [[row[place] for row in rows.values() if row[place] is not None] for place in range(len(COLUMNS))]
    if rows:
        rows["mean"] = [sum(values) / len(values) if values else None for values in known]
        rows["worst"] = [column.worst(values) if values else None for column, values in zip(COLUMNS, known, strict=True)]
    for name, row in rows.items():
        lines.append(name.ljust(wide) + "".join(f"  {column.text(value)}" for column, value in zip(COLUMNS, row, strict=True)))
    return lines


if __name__ == "__main__":
    sys.exit(main())
