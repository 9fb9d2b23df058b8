# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend mesh`: a clip to joints and skin of both hands, in one .npz; the skin goes into the file piece by piece."""

import argparse
import importlib.util
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError, write_failed
from s2c_blender.wire.hands import JOINTS, PARENTS

if TYPE_CHECKING:
    from .s2c.hand_model import HandModel
    from .s2c.mesh import HandLayer

FORMAT = 1


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "mesh",
        help="turn a clip into joints and vertices of both hands",
        description="Write an .npz with times (T,), joints (T, 2, 16, 3), tips (T, 2, 5, 3), vertices (T, 2, V, 3) and faces "
        "(2, F, 3 or 4): right hand first, metres, keyboard frame (x to the treble, y away from the player, z up).",
        epilog="example: python -m backend mesh take.npz -o hands.npz --mano MANO_RIGHT.pkl",
    )
    parser.add_argument("clip", type=Path, metavar="CLIP.npz", help="what generate wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.npz", help="where the mesh goes")
    parser.add_argument("--mano", type=Path, metavar="FILE", help="your MANO_RIGHT.pkl, or an .npz of its arrays (our own hand)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from s2c_blender.wire.terminal import ProgressBar

    from . import pipeline

    _require_smplx()
    output = options.output.absolute()
    pipeline.check_writable(output)
    clip = Clip.load(options.clip)
    model = _model(options.mano, clip)
    from .device import set_threads
    from .s2c.mesh import HandLayer

    set_threads()
    bar = ProgressBar()
    try:
        write_mesh(output, clip, HandLayer(model), report=lambda done, total: bar.report("skinning", done, total))
    finally:
        bar.end()
    print(options.output)
    return 0


def _require_smplx() -> None:
    missing = [name for name in ("torch", "smplx") if importlib.util.find_spec(name) is None]
    if missing:
        raise PianoHandsError(
            "no-torch",
            f"Meshes need {' and '.join(missing)}, which this Python has not.",
            "Use a Python environment with the packages of the group 'full' in pyproject.toml (build.py test makes one).",
        )


def _model(mano: Path | None, clip: Clip) -> "HandModel":
    """The person's MANO hand in its own size, or ours in the clip's."""
    if mano is not None:
        from .s2c.mano import read_mano

        return read_mano(mano).hand
    from s2c_blender.motion.hand_rig import load_hand_rig

    from .s2c.hand_model import own_hand

    return own_hand(load_hand_rig(), span=clip.hand_size)


def write_mesh(
    path: Path, clip: Clip, layer: "HandLayer", *, report: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the .npz whole or not at all. Raises PianoHandsError('write-failed')."""
    frames, points = len(clip.rotation), layer.skin
    _check_space(path, frames * 2 * (points + len(JOINTS) + 5) * 12)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        # Stored as they are: packed, they would be a tenth smaller and take five times as long to write.
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            _write(archive, "format", np.array(FORMAT))
            _write(archive, "times", clip.times)
            _write(archive, "joint", np.array(JOINTS))
            _write(archive, "parent", np.array(PARENTS))
            _write(archive, "faces", layer.faces)
            joints, tips = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
            with archive.open("vertices.npy", "w", force_zip64=True) as entry:
                shape = (frames, 2, points, 3)
                np.lib.format.write_array_header_1_0(entry, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for piece in layer.pieces(clip):
                    entry.write(np.ascontiguousarray(piece.vertices, "<f4").data)
                    joints.append(piece.joints)
                    tips.append(piece.tips)
                    report(sum(map(len, joints)), frames)
            _write(archive, "joints", np.concatenate(joints))
            _write(archive, "tips", np.concatenate(tips))
        os.replace(temporary, path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed * 1.01:
        raise PianoHandsError(
            "write-failed",
            f"{path.parent} has {free / 1e6:.0f} MB left, and this mesh needs {needed / 1e6:.0f} MB.",
            "Free some space, choose another folder, or make a shorter clip.",
        )
