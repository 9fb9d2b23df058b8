# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a saved scene's hands against a MIDI file; the last line of stdout is JSON. Started by bench_listen."""

import json
import os
import sys
from pathlib import Path


def main() -> int:
    """SCENE.blend PIECE.mid"""
    import bpy

    from backend.score import read_midi
    from s2c_blender.scene.contact import measure_scene

    blend, midi = sys.argv[1:3]
    bpy.ops.wm.open_mainfile(filepath=blend)
    scores = measure_scene(bpy.context.scene, clip=read_midi(Path(midi))).scores.notes
    print(json.dumps({"f1": scores.f1, "precision": scores.precision, "recall": scores.recall}))
    return 0


if __name__ == "__main__":
    CODE = main()
    sys.stdout.flush()
    os._exit(CODE)
