# SPDX-License-Identifier: GPL-3.0-or-later
"""Where setup puts what it makes, inside the folder it was given: the one thing that setup, backend and add-on must agree on."""

import json
import os
from pathlib import Path
from typing import Any

ENVIRONMENT = "environment"  # a virtual environment with torch
CHECKPOINT = "s2c"  # S2C's numbers in our own format
DOWNLOADS = "downloads"  # what is only needed meanwhile
RECORD = "setup.json"  # what setup made, so that it can be found, repaired and taken away
FORMAT = 1


def environment_python(folder: Path) -> Path:
    """The environment's Python, whether it is there or not."""
    return folder / ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read_record(folder: Path) -> dict[str, Any] | None:
    """What setup wrote down; None where it has made nothing, or nothing that this version understands."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def made_python(folder: Path) -> Path | None:
    """The Python that setup has finished in `folder`."""
    record = read_record(folder)
    python = environment_python(folder)
    return python if record is not None and record.get("ready") is True and python.exists() else None


def made_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that setup has imported in `folder`."""
    checkpoint = folder / CHECKPOINT
    return checkpoint if read_record(folder) is not None and (checkpoint / "config.json").exists() else None


def shipped_weights() -> Path | None:
    """Those of the small S2C that reads notes, which come with the program; None where they were taken out."""
    path = Path(__file__).resolve().parents[2] / "backend" / "s2c" / "weights" / "small.safetensors"
    return path if path.is_file() else None
