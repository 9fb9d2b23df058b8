# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the shape of MANO_RIGHT.pkl, made of our own hand, without MANO's numbers, and written as Python 2 wrote it."""

import io
import pickle
import struct
from types import FunctionType
from typing import Any

import numpy as np

from backend.s2c.axes import REST
from s2c_blender.motion.hand_rig import load_hand_rig
from s2c_blender.wire.hands import PARENTS

WRIST = np.array([0.09, 0.006, 0.005])
TIPS = (744, 320, 443, 554, 671)
POINTS, FACES = 778, 1538

Arrays = dict[str, Any]


def mano_arrays(seed: int = 0) -> Arrays:
    """Our hand thinned out to MANO's number of points, turned into MANO's axes; made-up bends, shapes and mean pose."""
    rig, random = load_hand_rig(), np.random.default_rng(seed)
    chosen = random.permutation(len(rig.vertices))[:POINTS]
    points, weights = rig.vertices[chosen], rig.weights[chosen]
    points[list(TIPS)], weights[list(TIPS)] = rig.tips, np.eye(16)[[15, 3, 6, 12, 9]]
    level = np.concatenate([points, np.ones((POINTS, 1))], axis=1)
    regressor = np.concatenate([rig.rest, np.ones((16, 1))], axis=1) @ np.linalg.pinv(level)
    parents = np.array([2**32 - 1, *PARENTS[1:]], np.uint32)
    return {
        "v_template": points @ REST + WRIST,
        "f": random.integers(0, POINTS, (FACES, 3)).astype(np.uint32),
        "weights": weights,
        "J_regressor": regressor,
        "posedirs": random.normal(scale=1e-3, size=(POINTS, 3, 135)),
        "shapedirs": random.normal(scale=1e-3, size=(POINTS, 3, 10)),
        "hands_mean": random.normal(scale=0.2, size=45),
        "hands_components": np.eye(45),
        "hands_coeffs": random.normal(size=(20, 45)),
        "kintree_table": np.stack([parents, np.arange(16, dtype=np.uint32)]),
        "J": regressor @ (points @ REST + WRIST),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def foreign(module: str, name: str, **state: Any) -> Any:
    """An object of a class that is not installed."""
    made = object.__new__(type(name, (), {"__module__": module}))
    made.__dict__.update(state)
    return made


def chumpy_array(values: np.ndarray) -> Any:
    return foreign("chumpy.ch", "Ch", x=values, _dirty_vars={"x"}, _itr=None, _depends_on_deps={}, _status="new")


def chumpy_selection(values: np.ndarray, size: int) -> Any:
    """The first `size` columns, as the published file writes its shapes."""
    places = np.arange(values.size).reshape(values.shape)[..., :size]
    return foreign(
        "chumpy.reordering", "Select", a=chumpy_array(values), idxs=places.ravel(), preferred_shape=places.shape, _dirty_vars=set()
    )


def sparse(matrix: np.ndarray, module: str = "scipy.sparse.csc") -> Any:
    columns, rows = np.nonzero(matrix.T)
    starts = np.searchsorted(columns, np.arange(matrix.shape[1] + 1)).astype(np.int32)
    return foreign(
        module,
        "csc_matrix",
        _shape=matrix.shape,
        data=matrix[rows, columns],
        indices=rows.astype(np.int32),
        indptr=starts,
        maxprint=50,
    )


def published(arrays: Arrays) -> Arrays:
    """The same with the foreign objects that the published file has."""
    wide = np.concatenate([arrays["shapedirs"], arrays["shapedirs"]], axis=-1)
    return arrays | {"shapedirs": chumpy_selection(wide, 10), "J_regressor": sparse(arrays["J_regressor"])}


class _Python2Pickler(pickle._Pickler):
    """Protocol 2 as Python 2 wrote it: text and bytes alike as BINSTRING, classes by name without a look whether they exist."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, protocol=2)

    def save_text(self, value: str | bytes) -> None:
        data = value if isinstance(value, bytes) else value.encode("latin-1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    def save_name(self, value: Any, name: str | None = None) -> None:
        module = {"builtins": "__builtin__", "copyreg": "copy_reg"}.get(value.__module__, value.__module__)
        self.write(pickle.GLOBAL + f"{module}\n{name or value.__qualname__}\n".encode())
        self.memoize(value)

    save_global = save_name
    dispatch[str] = dispatch[bytes] = save_text
    dispatch[type] = dispatch[FunctionType] = save_name


def python2_pickle(content: Any) -> bytes:
    stream = io.BytesIO()
    _Python2Pickler(stream).dump(content)
    return stream.getvalue()
