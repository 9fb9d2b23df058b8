# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's advice: always one sentence that says what is missing and what to do."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from s2c_blender.ui.advice import deaf, is_sound, lacking, mismatch, setup_command
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import PROTOCOL, Hello

PYTHON = Path("/opt/python")
FULL = Hello(PROTOCOL, "0.1.0", "3.11.7", "full", ("cpu",), ("planner", "s2c"))
BARE = Hello(PROTOCOL, "0.1.0", "3.11.7", "built-in", ("cpu",), ("planner",), ("torch", "transformers"))


@pytest.mark.parametrize("python", [None, PYTHON])
def test_where_s2c_can_be_used_nothing_is_missing(python):
    assert lacking(FULL, python) is None


@pytest.mark.parametrize(
    ("answer", "python", "words"),
    [
        (None, None, "name one in the preferences"),
        (BARE, None, "name one in the preferences"),
        (None, PYTHON, "Asking"),
        (BARE, PYTHON, "lacks torch, transformers. Install there"),
        (PianoHandsError("no-python", "It could not be started.", "Choose another."), PYTHON, "not be started. Choose another."),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(answer, python, words):
    said = lacking(answer, python)
    assert said is not None and words in said and "\n" not in said


def test_the_setup_command_goes_through_a_shell_whole(tmp_path):
    root, folder = tmp_path / "it's here", tmp_path / "a $folder"
    (root / "backend").mkdir(parents=True)
    (root / "backend" / "__main__.py").write_text("import sys; print(sys.argv[1:])")
    command = setup_command(Path(sys.executable), root, folder, windows=False)
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(["setup", "--into", str(folder)])
    windows = setup_command(PurePosixPath("p y.exe"), PurePosixPath("it's"), PurePosixPath("user"), windows=True)
    assert windows == "cd -LiteralPath 'it''s'; & 'p y.exe' -m backend setup --into 'user'"


@pytest.mark.parametrize(
    ("piece", "prior", "words"),
    [
        ("", "planner", None),
        ("", "s2c", None),
        ("a.MID", "planner", None),
        ("a.wav", "s2c", None),
        ("no suffix", "planner", None),
        ("a.WAV", "planner", None),
        ("a.mp3", "planner", None),
        ("a.mid", "s2c", "to the planner"),
        ("a.flac", "s2c", None),
    ],
)
def test_which_file_goes_with_which_prior(piece, prior, words):
    said = mismatch(piece, prior)
    assert (said is None) if words is None else (said is not None and words in said)


def test_a_midi_file_with_a_recording_of_it_is_for_s2c_too():
    assert mismatch("a.mid", "s2c", "a.wav") is None


@pytest.mark.parametrize(
    ("answer", "python", "words"),
    [
        (FULL, PYTHON, None),
        (None, None, "name one in the preferences"),
        (None, PYTHON, "Asking"),
        (replace(FULL, missing_to_hear=("transkun",)), PYTHON, "lacks transkun. Install there"),
    ],
)
def test_what_is_missing_to_hear_notes_is_said(answer, python, words):
    said = deaf(answer, python)
    assert (said is None) if words is None else (said is not None and words in said)


def test_recordings_are_known_by_their_names():
    assert is_sound("//a.MOV") and is_sound("a.m4a") and not is_sound("a.mid") and not is_sound("")
