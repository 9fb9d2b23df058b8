# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound at another rate, block by block. NumPy only."""

from collections.abc import Iterator
from math import gcd

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_ZEROS = 24  # zero crossings of the filter to each side


def _hann(place: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.cos(np.pi * place)


def resampled(blocks: Iterator[Array], source: int, target: int) -> Iterator[Array]:
    """Band-limited interpolation by a windowed sinc (Smith, "Digital Audio Resampling"), over a sliding stretch of the sound."""
    if source == target:
        yield from blocks
        return
    up, down = target // gcd(source, target), source // gcd(source, target)
    cutoff = 0.94 * min(1.0, target / source)
    reach = int(np.ceil(_ZEROS / cutoff))
    taps = np.arange(-reach, reach + 1)
    offset = taps[None, :] - (np.arange(up) / up)[:, None]  # (phases, taps)
    kernel = (cutoff * np.sinc(cutoff * offset) * _hann(offset / (reach + 1))).astype(np.float32)
    held, first, asked = np.zeros(reach, np.float32), -reach, 0
    ended = False
    while not ended:
        block = next(blocks, None)
        ended = block is None
        held = np.concatenate([held, np.zeros(reach + 1, np.float32) if block is None else block])
        known = first + len(held) - reach - (1 if ended else 0)  # samples before this have all their neighbours
        count = -(-known * up // down) - asked
        if count > 0:
            place = (asked + np.arange(count)) * down
            start, phase = place // up - first - reach, place % up
            yield np.concatenate(
                [
                    np.einsum(
                        "nk,nk->n", np.lib.stride_tricks.sliding_window_view(held, 2 * reach + 1)[start[cut]], kernel[phase[cut]]
                    )
                    for cut in (slice(at, at + 8192) for at in range(0, count, 8192))
                ]
            )
            asked += count
        drop = max(0, asked * down // up - first - reach)
        held, first = held[drop:], first + drop
