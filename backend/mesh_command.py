# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend mesh`: a clip to joints and skin of both hands, in one .npz; the skin goes into the file piece by piece."""

import argparse
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.archive import write_array
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import write_failed
from s2c_blender.wire.hands import JOINTS, PARENTS

from . import config, pipeline
from .space import check_space

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

    config.require(("torch", "smplx"), "Meshes need")
    output = options.output.absolute()
    pipeline.check_writable(output)
    pipeline.check_inputs_stay([options.clip, *([options.mano] if options.mano else [])], output)
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
    check_space(path.parent, frames * 2 * (points + len(JOINTS) + 5) * 12 * 1.01, "this mesh")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        # Stored as they are: packed, they would be a tenth smaller and take five times as long to write.
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            write_array(archive, "format", np.array(FORMAT))
            write_array(archive, "times", clip.times)
            write_array(archive, "joint", np.array(JOINTS))
            write_array(archive, "parent", np.array(PARENTS))
            write_array(archive, "faces", layer.faces)
            joints, tips = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
            with archive.open("vertices.npy", "w", force_zip64=True) as entry:
                shape = (frames, 2, points, 3)
                np.lib.format.write_array_header_1_0(entry, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for piece in layer.pieces(clip):
                    entry.write(np.ascontiguousarray(piece.vertices, "<f4").data)
                    joints.append(piece.joints)
                    tips.append(piece.tips)
                    report(sum(map(len, joints)), frames)
            write_array(archive, "joints", np.concatenate(joints))
            write_array(archive, "tips", np.concatenate(tips))
        os.replace(temporary, path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
