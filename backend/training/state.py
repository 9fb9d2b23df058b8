# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs to go on: weights, their average, what the optimiser remembers, and the step. Tensors alone: nothing is run."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from s2c_blender.wire.errors import PianoHandsError, write_failed

from .ema import Average

FOLDER = "state"
_TENSORS, _NUMBERS = "tensors.safetensors", "numbers.json"


class RunState:
    """The weights by name, in the optimiser's order."""

    def __init__(self, weights: Mapping[str, nn.Parameter], average: Average, optimiser: torch.optim.Optimizer) -> None:
        self._weights, self._average, self._optimiser = weights, average, optimiser

    def save(self, run: Path, *, step: int, numbers: Mapping[str, float]) -> None:
        """Whole, before the one before it goes. `step`: steps done. Raises PianoHandsError('write-failed')."""
        place = run / FOLDER / f"{step:09d}"
        stage = place.with_name(f".{place.name}.new")
        try:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(parents=True)
            save_file(self._tensors(), stage / _TENSORS)
            (stage / _NUMBERS).write_text(json.dumps({"step": step, "numbers": dict(numbers)}), encoding="utf-8")
            if place.exists():
                shutil.rmtree(place)
            os.replace(stage, place)
            for other in (run / FOLDER).iterdir():
                if other != place:
                    shutil.rmtree(other)
        except OSError as error:
            raise write_failed(place, error) from error

    def restore(self, run: Path) -> tuple[int, dict[str, float]]:
        """Steps done, and the numbers. Raises PianoHandsError('bad-run')."""
        place = newest(run)
        try:
            tensors = load_file(place / _TENSORS)
            about: dict[str, Any] = json.loads((place / _NUMBERS).read_bytes())
            self._fill(tensors)
            return int(about["step"]), {name: float(value) for name, value in about["numbers"].items()}
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise PianoHandsError(
                "bad-run",
                f"{place} does not fit this training ({type(error).__name__}: {error}).",
                "Go on with the settings that it began with, or give another folder with -o.",
            ) from error

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"weight.{name}": value for name, value in self._weights.items()}
        tensors |= {f"average.{name}": value for name, value in self._average.values.items()}
        remembered = self._optimiser.state_dict()["state"]
        for index, name in enumerate(self._weights):
            tensors |= {f"optimiser.{key}.{name}": value for key, value in remembered.get(index, {}).items()}
        return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}

    @torch.no_grad()
    def _fill(self, tensors: Mapping[str, Tensor]) -> None:
        remembered = dict[int, dict[str, Tensor]]()
        for index, (name, weight) in enumerate(self._weights.items()):
            weight.copy_(tensors[f"weight.{name}"])
            if name in self._average.values:
                self._average.values[name].copy_(tensors[f"average.{name}"])
            keys = ("step", "exp_avg", "exp_avg_sq")
            if f"optimiser.{keys[0]}.{name}" in tensors:
                remembered[index] = {key: tensors[f"optimiser.{key}.{name}"] for key in keys}
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": remembered, "param_groups": groups})


def newest(run: Path) -> Path:
    """The state with the most steps; a folder that is not there where there is none."""
    there = sorted(path.parent for path in (run / FOLDER).glob(f"*/{_NUMBERS}") if path.parent.name.isdigit())
    return there[-1] if there else run / FOLDER / "none"


def begun(run: Path) -> bool:
    return newest(run).is_dir()
