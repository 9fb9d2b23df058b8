# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells: TensorBoard's event files, and the same numbers as lines of JSON for whoever has no TensorBoard."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tensorboardX import SummaryWriter

LINES = "numbers.jsonl"


class Journal:
    """One step's numbers at a time. `after`: steps already done; lines of later ones, which a killed run left, are dropped."""

    def __init__(self, run: Path, *, after: int) -> None:
        run.mkdir(parents=True, exist_ok=True)
        self._lines = run / LINES
        kept = [line for line in read_lines(run) if int(line["step"]) <= after]
        self._lines.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._board = SummaryWriter(str(run / "events"), purge_step=after + 1)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._board.close()

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        with open(self._lines, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **numbers}) + "\n")
        for name, value in numbers.items():
            if math.isfinite(value):
                self._board.add_scalar(name, value, step)


def read_lines(run: Path) -> list[dict[str, float]]:
    """All lines but one that was being written when the run was killed."""
    path, found = run / LINES, list[dict[str, float]]()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
