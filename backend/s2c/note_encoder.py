# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes to features at the model's frame rate, in place of an audio encoder: dilated convolutions that see a second either way."""

from torch import Tensor, nn
from torch.nn import functional as F

from .note_roll import CHANNELS

_KERNEL = 5


class NoteEncoder(nn.Module):
    """A roll (B, N, CHANNELS) of one hand to features (B, N, `width`). Layer i skips 2^i frames between its taps."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.entry = nn.Linear(CHANNELS, width)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2 * 2**layer, dilation=2**layer) for layer in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.last = nn.LayerNorm(width)

    def forward(self, roll: Tensor) -> Tensor:
        x = self.entry(roll)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + F.gelu(layer(norm(x).transpose(1, 2))).transpose(1, 2)
        return self.last(x)
