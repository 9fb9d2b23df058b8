# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels that hold next to nothing, for pip to install in tests where nothing may be fetched."""

import base64
import hashlib
import zipfile
from pathlib import Path


def wheel(folder: Path, pin: str, *, requires: tuple[str, ...] = (), code: str = "value = 1\n") -> Path:
    """A package of one module, `name`/__init__.py with `code`, for `name==version`."""
    name, _, version = pin.partition("==")
    written = name
    name = name.replace("-", "_")  # in file names a dash ends the name
    about = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {written}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{name}/__init__.py": code,
        f"{about}/METADATA": metadata,
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items()]
    files[f"{about}/RECORD"] = "".join(lines) + f"{about}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
