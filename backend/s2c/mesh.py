# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's poses to joints, fingertips and skin of both hands, by smplx's layer: our own hand and MANO's take the same way.

The only file that imports smplx. It is no part of this program; its authors license it for non-commercial research.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from smplx.lbs import lbs
from torch import Tensor

from s2c_blender.motion import rotation
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import PARENTS, HandSide

from .axes import MIRROR
from .hand_model import HandModel

Array = NDArray[np.floating]

PIECE = 24  # frames at a time: 50 MB for our hand of 6900 vertices


@dataclass(frozen=True)
class PosedHands:
    """Keyboard frame, metres, float32: joints (T, 2, 16, 3), tips (T, 2, 5, 3), vertices (T, 2, V, 3); hand axis: `HandSide`."""

    joints: NDArray[np.float32]
    tips: NDArray[np.float32]
    vertices: NDArray[np.float32]


class HandLayer:
    """One right hand's model as tensors; the left hand is posed as the right one in the mirror, and mirrored back."""

    def __init__(self, model: HandModel) -> None:
        self._model = model
        self._vertices = _tensor(model.vertices)
        self._weights = _tensor(model.weights)
        self._regressor = _tensor(model.regressor)
        self._bends = _tensor(model.bends.reshape(-1, model.bends.shape[-1]).T)
        self._shapes = torch.zeros(len(model.vertices), 3, 1)  # the mean hand: S2C knows no shapes (betas)
        self._parents = torch.tensor(PARENTS)

    @torch.inference_mode()
    def pose(self, rotations: Array, translation: Array) -> PosedHands:
        """A Clip's rotations (T, 2, 16, 4) and wrist places (T, 2, 3) to both hands."""
        model, frames = self._model, len(rotations)
        turns = np.asarray(rotations, float).copy()
        turns[:, HandSide.LEFT] = rotation.mirror(turns[:, HandSide.LEFT])
        # A turn in a clip's axes to the same turn in the model's.
        matrices = model.axes.T @ rotation.to_matrix(turns.reshape(-1, len(PARENTS), 4)) @ model.axes
        vertices, joints = lbs(
            torch.zeros(len(matrices), 1),
            _tensor(matrices),
            self._vertices,
            self._shapes,
            self._bends,
            self._regressor,
            self._parents,
            self._weights,
            pose2rot=False,
        )
        # smplx turns the hand about its wrist where that is at rest; a clip says where the wrist is.
        points = torch.cat([joints, vertices], dim=1) - joints[:, :1]
        placed = points.numpy() @ model.axes.T.astype(np.float32)
        placed = placed.reshape(frames, 2, *placed.shape[1:])
        placed[:, HandSide.LEFT] *= MIRROR.astype(np.float32)
        placed += np.asarray(translation, np.float32)[:, :, None]
        skin = placed[:, :, len(PARENTS) :]
        # Joints as a copy: whoever keeps them shall not keep the skin with them.
        return PosedHands(placed[:, :, : len(PARENTS)].copy(), skin[:, :, model.tips], skin[:, :, : model.skin])

    def pieces(self, clip: Clip, frames: int = PIECE) -> Iterator[PosedHands]:
        """The whole clip, so many frames at a time."""
        for start in range(0, len(clip.rotation), frames):
            cut = slice(start, start + frames)
            yield self.pose(clip.rotation[cut], clip.translation[cut])

    @property
    def skin(self) -> int:
        """Vertices of one hand."""
        return self._model.skin

    @property
    def faces(self) -> NDArray[np.int32]:
        """(2, F, 3 or 4): the left hand's corners the other way round, so that its faces look outwards too."""
        faces = self._model.faces.astype(np.int32)
        return np.stack([faces, faces[:, ::-1]])


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
