# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree installed by pip, as on a machine that the add-on reaches by ssh: the command works from any folder."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="setuptools is not here, and nothing may be fetched")
def test_the_installed_command_serves_from_any_folder(tmp_path):
    tree, target = tmp_path / "tree", tmp_path / "installed"
    tree.mkdir()
    for name in ("backend", "s2c_blender", "rigs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--no-compile", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(tree)], check=True, cwd=tmp_path)
    program = target / "bin" / "piano-hands"
    environment = os.environ | {"PYTHONPATH": str(target)}
    helped = subprocess.run([program, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "serve" in helped.stdout
    served = subprocess.run([program, "serve"], cwd=tmp_path, env=environment, input=b"", capture_output=True, check=True)
    assert b'"hello"' in served.stdout and b'"version": "0.1.0"' in served.stdout
    assert (target / "rigs" / "hand.npz").exists()
