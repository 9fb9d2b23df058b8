# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete S2C checkpoint of our own format with few and random numbers. Needs torch."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from backend.s2c.checkpoint import save
from s2c_blender.wire.hands import HandSide
from tests.s2c_models import SMALL, random_model

TINY = replace(SMALL, frames=64)
_SPREAD, _PLACE = (0.05, 0.02, 0.0005), (0.05, 0.0, 0.0)  # of the positions' last layer: x, y, z


def checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Write the folder as import-checkpoint does; another seed, other numbers."""
    model = random_model(TINY, seed=seed)
    for side in HandSide:
        head = cast(nn.Linear, model.predictor(side).head[-1])  # wrists stay about the keys
        head.load_state_dict({"weight": head.weight * torch.tensor(_SPREAD)[:, None], "bias": torch.tensor(_PLACE)})
    save(model, folder, precision=torch.half)
    return folder
