# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of tests, each in processes of its own; `build.py test` starts them. Standard library only."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Protocol

from .tally import Tally, read_record

OUT = Path(__file__).resolve().parents[1] / "out"
GROUPS = ("check", "pure", "bpy", "torch", "window")
BESIDE = "bpy"  # the group that runs beside others
PATIENCE = 900.0  # seconds for one group: what hangs ends, slow computers are waited for


class Run(Protocol):
    """Runs a program, seen by the person or written to `log`; returns its exit code. Raises subprocess.TimeoutExpired."""

    def __call__(self, command: list[str], /, *, timeout: float | None = None, log: IO[str] | None = None) -> int: ...


def run_every(python: str, run: Run) -> dict[str, Tally]:
    """ "pure" by itself, for it looks at the clock; then "bpy", which takes longest, beside the others."""
    tallies = {"pure": run_group(python, "pure", run)}
    told = OUT / f"tests-{BESIDE}.txt"
    with told.open("w", encoding="utf-8") as log, ThreadPoolExecutor(1) as pool:
        beside = pool.submit(_tests, python, BESIDE, run, log)
        tallies |= {group: run_group(python, group, run) for group in GROUPS if group not in ("pure", BESIDE)}
        tallies[BESIDE] = beside.result()
    print(f"\n{told.read_text(encoding='utf-8').strip()}", flush=True)
    return tallies


def run_group(python: str, group: str, run: Run) -> Tally:
    """One group alone."""
    return run_checks(python, run) if group == "check" else _tests(python, group, run)


def run_checks(python: str, run: Run) -> Tally:
    """ruff and pyright, each counted as one test."""
    begin = time.monotonic()
    passed, failed = 0, list[str]()
    for task in (["ruff", "format", "--check"], ["ruff", "check"], ["pyright", "--pythonpath", python]):
        name = " ".join(part for part in task[:2] if not part.startswith("-"))
        print(f"\n{name}:", flush=True)
        if run([python, "-m", *task]) == 0:
            passed += 1
        else:
            failed.append(name)
    return Tally(passed, failed, [], time.monotonic() - begin)


def _tests(python: str, group: str, run: Run, log: IO[str] | None = None) -> Tally:
    """tests/<group> by pytest."""
    OUT.mkdir(exist_ok=True)
    record = OUT / f"tests-{group}.xml"
    record.unlink(missing_ok=True)
    print(f"\n{group}:", file=log, flush=True)
    begin = time.monotonic()
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={record}", f"tests/{group}"]
    try:
        code = run(command, timeout=PATIENCE, log=log)
    except subprocess.TimeoutExpired:
        code = -1
        print(f"{group}: ended after {PATIENCE:.0f} s without a result", file=log, flush=True)
    return read_record(record, group, code=code, seconds=time.monotonic() - begin)
