# SPDX-License-Identifier: GPL-3.0-or-later
"""An exponential average of weights, which gives better samples than the weights of any one step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """`decay` 0: the weights themselves."""

    def __init__(self, weights: Mapping[str, nn.Parameter], decay: float) -> None:
        self._weights, self._decay = weights, decay
        self.values = {name: value.detach().float().clone() for name, value in weights.items()} if decay else dict[str, Tensor]()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After a step. At first it follows faster, so that the first weights are soon forgotten (TensorFlow's rule)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, value in self.values.items():
            value.lerp_(self._weights[name].detach().float(), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The average in place of the weights."""
        kept = {name: self._weights[name].detach().clone() for name in self.values}
        self._copy(self.values)
        try:
            yield
        finally:
            self._copy(kept)

    @torch.no_grad()
    def _copy(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._weights[name].copy_(value)
