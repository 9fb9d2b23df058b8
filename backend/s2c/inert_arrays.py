# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers out of what `inert_pickle` read: arrays as NumPy, SciPy (csc_matrix) and chumpy (Ch) pickled them. NumPy only."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inert_pickle import Inert

Array = NDArray[Any]

_DEEPEST = 8  # objects within objects
#: Number types by NumPy's letters; objects, text and structures are none of them.
_NUMBERS = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])


def is_array_name(name: str) -> bool:
    """Whether a pickle of arrays may name it. chumpy's formulas and SciPy's other matrices may occur where nobody reads them."""
    return name in _NAMES or name.startswith(("chumpy.", "scipy.sparse."))


_NAMES = frozenset(
    (
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.core.numeric._frombuffer",
        "numpy.ndarray",
        "numpy.dtype",
        "builtins.set",
        "_codecs.encode",
    )
)


def to_array(value: Any, shape: tuple[int, ...], *, depth: int = _DEEPEST) -> Array:
    """The numbers of an inert NumPy array, SciPy csc_matrix or chumpy Ch, which must have this shape. Raises ValueError."""
    if not isinstance(value, Inert) or not depth:
        raise ValueError(f"{type(value).__name__} instead of numbers")
    if value.name.startswith("chumpy."):
        # A Ch is its `x`; what else chumpy has is a formula.
        if value.name != "chumpy.ch.Ch":
            raise ValueError(f"the formula {value.name} instead of numbers")
        return to_array(_state(value).get("x"), shape, depth=depth - 1)
    array = _dense(value, shape) if value.name.endswith(".csc_matrix") else _numbers(value)
    if array.shape != shape:
        raise ValueError(f"the shape {array.shape} instead of {shape}")
    return array


def _state(value: Inert) -> dict[str, Any]:
    if not isinstance(value.state, dict):
        raise ValueError(f"{value.name} without a state")
    return value.state


def _numbers(value: Any) -> Array:
    """A NumPy array: its state is (version, shape, type, whether Fortran's order, bytes); or, by protocol 5, its arguments."""
    if isinstance(value, Inert) and value.name == "numpy.core.multiarray._reconstruct" and isinstance(value.state, tuple):
        shape, kind, fortran, data = value.state[-4:] if len(value.state) == 5 else (None,) * 4
    elif isinstance(value, Inert) and value.name == "numpy.core.numeric._frombuffer" and len(value.arguments) == 4:
        data, kind, shape, order = value.arguments
        fortran = order == "F"
    else:
        raise ValueError("something else than an array")
    number, raw = _number(kind), _bytes(data)
    if not isinstance(shape, tuple) or len(shape) > 3 or not all(type(length) is int and 0 <= length < 2**31 for length in shape):
        raise ValueError("an array without a shape")
    if math.prod(shape) * number.itemsize != len(raw):
        raise ValueError(f"an array of {len(raw)} bytes for the shape {shape}")
    return np.frombuffer(raw, number).reshape(shape, order="F" if fortran else "C")


def _number(kind: Any) -> np.dtype[Any]:
    """An inert dtype: the letters are its first argument, the byte order is in its state."""
    letters = kind.arguments[0] if isinstance(kind, Inert) and kind.name == "numpy.dtype" and kind.arguments else None
    if not isinstance(letters, str) or letters not in _NUMBERS:
        raise ValueError("an array of something else than numbers")
    state = kind.state if isinstance(kind.state, tuple) else ()
    order = state[1] if len(state) > 1 else "|"
    return np.dtype(f"{order if order in ('<', '>') else '='}{letters}")


def _bytes(data: Any) -> bytes:
    """Python 2 wrote bytes as text, Python 3 in protocol 2 as text to be encoded."""
    if isinstance(data, Inert) and data.name == "_codecs.encode" and data.arguments[1:] in ((), ("latin1",), ("latin-1",)):
        data = data.arguments[0] if data.arguments else None
    if isinstance(data, str):
        return data.encode("latin-1")
    if isinstance(data, bytes | bytearray):
        return bytes(data)
    raise ValueError("an array without bytes")


def _dense(value: Inert, shape: tuple[int, ...]) -> Array:
    """A csc_matrix: `indptr` (C + 1,) says where each column begins in `data` and `indices` (its rows)."""
    state = _state(value)
    data, rows, starts = (_numbers(state.get(name)) for name in ("data", "indices", "indptr"))
    if state.get("_shape") != shape or len(shape) != 2 or starts.shape != (shape[1] + 1,) or data.shape != rows.shape:
        raise ValueError(f"a sparse matrix that is not {shape}")
    if rows.dtype.kind not in "iu" or starts.dtype.kind not in "iu":
        raise ValueError("a sparse matrix with places that are no whole numbers")
    starts = np.clip(starts.astype(np.float64), -1, data.size + 1).astype(np.int64)
    lengths = np.diff(starts)
    if starts[0] != 0 or starts[-1] != data.size or (lengths < 0).any() or data.ndim != 1:
        raise ValueError("a sparse matrix whose columns overlap")
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < shape[0]:
        raise ValueError("a sparse matrix with rows it has not")
    dense = np.zeros(shape, np.float64)
    np.add.at(dense, (rows, np.repeat(np.arange(shape[1]), lengths)), data)
    return dense
