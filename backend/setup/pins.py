# SPDX-License-Identifier: GPL-3.0-or-later
"""What the full level installs, by the pins of the pyproject.toml beside the backend, in the repository and in the zip."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from s2c_blender.wire.errors import PianoHandsError

ROOT = Path(__file__).resolve().parents[2]

#: Nothing that the add-on does needs it, and its licence is for non-commercial research: who wants `mesh` installs it knowingly.
_LEFT_OUT = ("smplx",)
# Tests have torch on one Python alone; the pinned versions exist for the others, too.
_TESTED_ON = re.compile(r"\s*;\s*python_version == '[\d.]+'\s*$")


@dataclass(frozen=True)
class Pins:
    """torch is apart: its builds are published in places of their own. `alone` are installed without what they ask for."""

    torch: str
    others: tuple[str, ...]
    alone: tuple[str, ...] = ()


def read_pins(path: Path = ROOT / "pyproject.toml") -> Pins:
    """Raises PianoHandsError('no-pins')."""
    try:
        with open(path, "rb") as file:
            project = tomllib.load(file)
        wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["full"]]
        names = project["tool"]["piano-hands"]["alone"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise PianoHandsError(
            "no-pins",
            f"{path} does not say which versions to install ({error}).",
            "Run setup in the extension's folder or in a checkout, and install the extension again if the file is missing there.",
        ) from error
    pins = [_TESTED_ON.sub("", pin) for pin in wanted]
    kept = [pin for pin in pins if pin.partition("==")[0] not in _LEFT_OUT]
    torch = next(pin for pin in kept if pin.startswith("torch=="))
    alone = tuple(pin for pin in kept if pin.partition("==")[0] in names)
    return Pins(torch, tuple(pin for pin in kept if pin != torch and pin not in alone), alone)
