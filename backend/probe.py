# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by a Python that may have torch, in a process that may crash: which packages it has, and whether torch computes."""

import importlib.metadata
import json
import platform
import sys
from typing import Any


def probe(names: list[str]) -> dict[str, Any]:
    """Versions of packages (None: not there), and what torch can use."""
    return {"python": platform.python_version(), "packages": {name: _version(name) for name in names}, "torch": _torch()}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    """ "devices" by torch's names with words about each, or "error"."""
    try:
        import torch

        found = {"cpu": f"{torch.get_num_threads()} threads"}
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            found[f"cuda:{number}"] = f"{about.name}, {about.total_memory / 1e9:.0f} GB"
        if torch.backends.mps.is_available():
            found["mps"] = "Apple's graphics"
        for name in found:
            square = torch.full((8, 8), 0.5, device=name)
            if float((square @ square).sum()) != 128.0:
                return {"error": f"{name} computes wrongly"}
    except Exception as error:  # whatever a broken installation raises is the answer
        return {"error": f"{type(error).__name__}: {error}"}
    return {"devices": found}


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1:])))
