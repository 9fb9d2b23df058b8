# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves as a PNG file, with NumPy alone: logarithmic upwards, a line at each factor of two."""

import struct
import zlib
from pathlib import Path

import numpy as np

WIDTH, HEIGHT, EDGE = 720, 320, 16
COLOURS = ((31, 119, 180), (214, 98, 20), (44, 140, 60))


def draw_curves(path: Path, curves: dict[str, np.ndarray]) -> None:
    """In the order of `COLOURS`."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    low = np.log2(min(values.min() for values in curves.values()))
    high = np.log2(max(values.max() for values in curves.values()))

    def row(value: float) -> float:
        return HEIGHT - EDGE - (np.log2(value) - low) / max(high - low, 1e-9) * (HEIGHT - 2 * EDGE)

    for power in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        picture[int(row(2.0**power)), EDGE : WIDTH - EDGE] = 225
    for colour, values in zip(COLOURS, curves.values(), strict=False):
        columns = np.arange(EDGE, WIDTH - EDGE)
        at = np.interp(np.linspace(0, len(values) - 1, len(columns)), np.arange(len(values)), values)
        rows = np.array([row(value) for value in at]).astype(int)
        for column, before, now in zip(columns[1:], rows[:-1], rows[1:], strict=True):
            picture[min(before, now) : max(before, now) + 2, column] = colour
    write_png(path, picture)


def write_png(path: Path, picture: np.ndarray) -> None:
    """(height, width, 3) of uint8."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = picture.shape
    rows = b"".join(b"\0" + line.tobytes() for line in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
