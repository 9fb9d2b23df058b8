# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar for command lines, on stderr."""

import sys
import time

from .errors import PianoHandsError


class ProgressBar:
    """A job's progress on stderr: one line that moves on a terminal, one line a stage elsewhere."""

    WIDTH = 30

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._stage = ""
        self._shown = 0.0

    def report(self, stage: str, done: int, total: int) -> None:
        new = stage != self._stage
        if self._moving:
            if new and self._stage:
                print(file=sys.stderr)
            now = time.monotonic()
            if new or done >= total or now - self._shown > 0.1:
                self._shown = now
                full = self.WIDTH * min(done, total) // max(total, 1)
                bar = "#" * full + "." * (self.WIDTH - full)
                percent = 100 * min(done, total) // max(total, 1)
                print(f"\r{stage:<12}[{bar}] {percent:3d} %", end="", flush=True, file=sys.stderr)
        elif new:
            print(f"{stage} ...", flush=True, file=sys.stderr)
        self._stage = stage

    def warn(self, warning: PianoHandsError) -> None:
        self.end()
        print(f"warning: {warning.message}", warning.hint, sep="\n  ", file=sys.stderr)

    def cancelled(self) -> bool:
        return False

    def end(self) -> None:
        """Leave the moving line."""
        if self._moving and self._stage:
            print(file=sys.stderr)
        self._stage = ""
