# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip as a person installs it: Blender's own tool accepts it, it is enabled, works, and goes again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy")

import build
from tests import midi_files

SCRIPT = """
import json, os, sys
from pathlib import Path
import bpy
import addon_utils  # bpy makes it known

package, piece, out = sys.argv[1:]
ID = "bl_ext.user_default.piano_hands"
said = {}
bpy.ops.extensions.package_install_files(repo="user_default", filepath=package, enable_on_install=True)
said["enabled"] = addon_utils.check(ID)
said["preferences"] = bpy.context.preferences.addons[ID].preferences.python
bpy.ops.preferences.addon_disable(module=ID)
said["after disabling"] = [name for name in dir(bpy.types) if "S2C" in name]
said["property left"] = hasattr(bpy.types.Scene, "piano_hands")
bpy.ops.preferences.addon_enable(module=ID)
settings = bpy.context.scene.piano_hands
settings.piece, settings.limit, settings.seconds = piece, True, 1.0
said["result"] = sorted(bpy.ops.s2c.generate())
said["take"] = bpy.context.scene["s2c_take"]
user = bpy.utils.extension_path_user(ID)
said["in user folder"] = said["take"].startswith(user)
said["sessions"] = [path.name for path in sorted(Path(user, "sessions").glob("*/*"))]
preferences = bpy.context.preferences.addons[ID].preferences
from bl_ext.user_default.piano_hands.s2c_blender import preferences as ours
said["nothing made"] = ours.chosen_backend(bpy.context) is None
bpy.ops.s2c.copy_setup()
said["command"] = ours.setup_command_here()
made = Path(user, "environment", "bin")
made.mkdir(parents=True)
(made / "python").symlink_to(sys.executable)
Path(user, "setup.json").write_text('{"format": 1, "made": ["environment"], "ready": true}')
said["found"] = str(ours.chosen_backend(bpy.context))
preferences.command = "ssh box piano-hands serve"
said["remote"] = ours.chosen_backend(bpy.context).words
try:
    bpy.ops.s2c.generate()
except RuntimeError as error:
    said["offline"] = str(error)
bpy.ops.preferences.addon_disable(module=ID)
Path(out).write_text(json.dumps(said))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The extension's zip, made as build.py makes it."""
    wheels = [build.WHEELS / name for name in ("mido-1.3.3-py3-none-any.whl", "packaging-26.3-py3-none-any.whl")]
    if not all(wheel.exists() for wheel in wheels):
        pytest.skip("the wheels are not here: `python build.py package` fetches them")
    stage = tmp_path_factory.mktemp("package") / "stage"
    stage.mkdir()
    build.stage_files(stage)
    target = stage.parent / "piano_hands.zip"
    tool = [sys.executable, str(build._extension_tool(Path(sys.executable)))]
    subprocess.run([*tool, "build", "--source-dir", str(stage), "--output-filepath", str(target)], check=True, capture_output=True)
    return target


def test_installed_from_the_zip_it_plays_a_piece_and_leaves_nothing_when_disabled(package, tmp_path):
    piece, out = midi_files.piece(tmp_path / "piece.mid"), tmp_path / "said.json"
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    (tmp_path / "user").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(package), str(piece), str(out)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert out.exists(), done.stdout + done.stderr
    said = json.loads(out.read_text())
    assert said["enabled"] == [True, True] and said["preferences"] == ""
    assert said["after disabling"] == [] and not said["property left"]
    assert said["result"] == ["FINISHED"] and said["in user folder"]
    folder = tmp_path / "user" / "extensions" / ".user" / "user_default" / "piano_hands"
    assert said["nothing made"] and said["found"] == str(folder / "environment" / "bin" / "python")
    assert said["command"].endswith(f"-m backend setup --into {folder}")
    assert said["remote"] == ["ssh", "box", "piano-hands", "serve"] and "offline" in said["offline"]
    assert said["sessions"][:2] == ["backend.log", "events.jsonl"]


def test_the_backend_of_the_zip_finds_its_reader_in_the_wheels_alone(package, tmp_path):
    """With no packages of its own but NumPy, as in Blender's Python."""
    import zipfile

    import numpy

    from s2c_blender.jobs import process

    root = tmp_path / "extension"
    with zipfile.ZipFile(package) as file:
        file.extractall(root)
    only_numpy = tmp_path / "packages"
    only_numpy.mkdir()
    for name in ("numpy", "numpy.libs"):
        folder = Path(numpy.__file__).parents[1] / name
        if folder.exists():
            (only_numpy / name).symlink_to(folder)
    environment = process.environment(root)
    environment["PYTHONPATH"] += os.pathsep + str(only_numpy)
    code = f"import runpy, sys; sys.path.insert(0, {str(root)!r}); runpy.run_module('backend', run_name='__main__')"
    piece = midi_files.piece(tmp_path / "piece.mid")
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-c", code, "generate", str(piece), "-o", str(tmp_path / "take.npz"), "--seconds", "0.5"],
        env=environment, cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "take.npz").exists()
