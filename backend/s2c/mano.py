# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the person's own MANO_RIGHT.pkl, or an .npz of the same arrays. Nothing in the file is ever run; NumPy only.

MANO (Romero, Tzionas & Black 2017, https://mano.is.tue.mpg.de) is licensed to each user by its authors: no number of it is here.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.archive import read_arrays
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import JOINTS, PARENTS

from .axes import REST, HandConvention
from .hand_model import BENDS, HandModel
from .inert_arrays import is_array_name, to_array
from .inert_pickle import read_pickle

Array = NDArray[np.float64]

LARGEST = 64_000_000  # bytes; the published file has 4 million
_VERTICES, _FACES = 778, 1538
#: What is read, under MANO's names. The file also holds shapes, principal components and samples, which S2C does not use.
_SHAPES: dict[str, tuple[int, ...]] = {
    "v_template": (_VERTICES, 3),
    "f": (_FACES, 3),
    "weights": (_VERTICES, len(JOINTS)),
    "J_regressor": (len(JOINTS), _VERTICES),
    "posedirs": (_VERTICES, 3, BENDS),
    "hands_mean": (45,),
    "kintree_table": (2, len(JOINTS)),
}
_TIPS = (744, 320, 443, 554, 671)  # vertices at the fingers' ends, thumb first: smplx/vertex_ids.py, "mano"


@dataclass(frozen=True)
class Mano:
    """The mean hand for skinning, and what poses of S2C are relative to."""

    hand: HandModel
    convention: HandConvention


def read_mano(path: Path) -> Mano:
    """The right hand in a file. Raises PianoHandsError('no-file', 'bad-mano')."""
    arrays = _arrays(path)
    _check(path, arrays)
    hand = HandModel(
        name="mano",
        vertices=arrays["v_template"],
        faces=arrays["f"].astype(np.int32),
        weights=arrays["weights"],
        regressor=arrays["J_regressor"],
        bends=arrays["posedirs"],
        tips=np.array(_TIPS),
        axes=REST,
        skin=_VERTICES,
    )
    wrist = hand.joints[0]
    if wrist[0] < 0.0:  # at rest a right hand reaches from its wrist towards -x, and lies about the origin
        raise _bad(path, "it is a left hand", "Give MANO_RIGHT.pkl; the left hand is made of it, as S2C does.")
    mean = np.concatenate([np.zeros((1, 3)), arrays["hands_mean"].reshape(-1, 3)])
    return Mano(hand, HandConvention(mean_pose=mean, wrist=wrist))


def _bad(path: Path, what: str, hint: str = "") -> PianoHandsError:
    return PianoHandsError(
        "bad-mano",
        f"{path.name} is no MANO hand that can be used: {what}.",
        hint or "Give MANO_RIGHT.pkl as its authors publish it (https://mano.is.tue.mpg.de), unpacked.",
    )


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size) if size <= LARGEST else b""
    except FileNotFoundError as error:
        raise PianoHandsError("no-file", f"There is no file {path}.", "Check the name and the folder.") from error
    except OSError as error:
        raise _bad(path, f"it cannot be read ({error.strerror or error})") from error
    if size > LARGEST:
        raise _bad(path, f"it is larger than {LARGEST // 1_000_000} MB")
    try:
        take = _from_archive(path) if data.startswith(b"PK") else _from_pickle(data)
    except (OSError, ValueError) as error:
        raise _bad(path, str(error)) from error
    return {name: _array(path, name, take) for name in _SHAPES}


def _array(path: Path, name: str, take: Callable[[str], NDArray[Any]]) -> Array:
    try:
        array = take(name)
        if array.shape != _SHAPES[name] or array.dtype.kind not in "biuf":
            raise ValueError(f"{array.dtype} of shape {array.shape} instead of numbers of shape {_SHAPES[name]}")
        if not np.isfinite(array).all():
            raise ValueError("something that is no number")
    except KeyError as error:
        raise _bad(path, f"it lacks {name}") from error
    except ValueError as error:
        raise _bad(path, f"{name} holds {error}") from error
    return array.astype(float)


def _from_archive(path: Path) -> Callable[[str], NDArray[Any]]:
    arrays = read_arrays(path, largest=LARGEST)
    return lambda name: arrays[name]


def _from_pickle(data: bytes) -> Callable[[str], NDArray[Any]]:
    content = read_pickle(data, known=is_array_name)
    if not isinstance(content, dict):
        raise ValueError("it holds something else than named arrays")
    return lambda name: to_array(content[name], _SHAPES[name])


def _check(path: Path, arrays: dict[str, Array]) -> None:
    """What the shapes do not say."""
    if tuple(arrays["kintree_table"][0, 1:].astype(int)) != PARENTS[1:]:
        raise _bad(path, "its joints hang together in another order")
    if not 0 <= arrays["f"].min() <= arrays["f"].max() < _VERTICES:
        raise _bad(path, "its faces name vertices that there are not")
    if np.abs(arrays["weights"].sum(axis=1) - 1.0).max() > 0.01:
        raise _bad(path, "the weights of a vertex do not sum to one")
    if np.abs(arrays["v_template"]).max() > 1.0 or np.ptp(arrays["v_template"], axis=0).max() < 0.05:
        raise _bad(path, "it is not as large as a hand in metres")
