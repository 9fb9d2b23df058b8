# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of arrays (.npz), written entry by entry, and read with care: plain numbers and text, no larger than they say.

Anybody may have made a file that is read here; nothing in it is ever run.
"""

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_KINDS = "biufU"  # truth values, integers, real numbers, text: never objects
_MOST_ENTRIES = 10_000
#: A file may unfold to this many bytes, or to so many times its own size: a small file cannot fill the memory.
_SMALL, _MOST_UNFOLDING = 256_000_000, 50
#: What zipfile and NumPy raise besides ValueError (NumPy takes headers apart with Python's own tokenizer).
_NO_ARCHIVE = (
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
)


def read_arrays(path: Path, *, largest: int) -> dict[str, NDArray[Any]]:
    """Every array of the file, at most `largest` bytes of them. Raises OSError, or ValueError that says what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(entries, min(largest, max(_SMALL, _MOST_UNFOLDING * path.stat().st_size)))
            return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it is cut off or damaged ({error})") from error
    except _NO_ARCHIVE as error:
        raise ValueError(f"it is no .npz file ({error})") from error


def write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Add one entry. Raises OSError, where np.savez leaves a broken archive behind that complains when the disk is full."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def _check(entries: list[zipfile.ZipInfo], largest: int) -> None:
    """Before anything is unfolded."""
    if len({entry.filename for entry in entries}) < len(entries) or len(entries) > _MOST_ENTRIES:
        raise ValueError("it holds entries twice or too many")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1 for entry in entries):
        raise ValueError("it is packed in a way that NumPy does not write")
    size = sum(entry.file_size for entry in entries)
    if size > largest:
        raise ValueError(f"it would unfold to {size / 1e6:.0f} MB")


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """The numbers of one entry, when its header and its size agree."""
    with archive.open(entry) as stream:
        shape, fortran, kind = _header(stream)
        if kind.kind not in _KINDS or not kind.itemsize or min(shape, default=0) < 0:
            raise ValueError(f"{entry.filename} holds something else than numbers and text")
        size = math.prod(shape) * kind.itemsize
        if size != entry.file_size - stream.tell():
            raise ValueError(f"{entry.filename} has another size than its header says")
        values = np.frombuffer(stream.read(), kind)
    return values.reshape(shape, order="F" if fortran else "C").copy(order="K")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"arrays of version {version}")
