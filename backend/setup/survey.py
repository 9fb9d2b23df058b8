# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the environment's own Python: which of its packages are not whole, by the files and sizes that each lists. Prints JSON."""

import json
from importlib.metadata import Distribution, distributions
from pathlib import Path


def survey() -> dict[str, str]:
    """Of each damaged package its folder of records, and name==version ("" where even that is lost)."""
    return {str(_records(package)): _pin(package) for package in distributions() if not _whole(package)}


def _records(package: Distribution) -> Path:
    return Path(str(package._path))  # pyright: ignore[reportAttributeAccessIssue] - no public name leads there when files are missing


def _pin(package: Distribution) -> str:
    name, version = package.metadata["Name"], package.metadata["Version"]
    return f"{name}=={version}" if name and version else ""


def _whole(package: Distribution) -> bool:
    files = package.files  # None where its list is missing: pip writes that last
    if not files or not _pin(package):
        return False
    for file in files:
        if file.size is None:
            continue  # compiled files come and go
        try:
            if Path(str(file.locate())).stat().st_size != file.size:
                return False
        except OSError:
            return False
    return True


if __name__ == "__main__":
    print(json.dumps(survey()))
