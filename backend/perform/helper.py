# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that solves for another: python -m backend.perform.helper FOLDER.

Its stdin names tasks, a number a line; N.npz in the folder is one, N.npy its poses when it is done. It ends with its stdin, and
takes the folder with it: whoever started it has died.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np

from .crew import read_task, solved


def main() -> None:
    """Usually killed by the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for that one
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        number = int(line)
        asked, made = folder / f"{number}.npz", folder / f"{number}.npy"
        task = read_task(asked)
        asked.unlink()
        with open(folder / f"{number}.part", "wb") as file:
            np.save(file, solved(task, lambda: None))
        os.replace(folder / f"{number}.part", made)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
