# SPDX-License-Identifier: GPL-3.0-or-later
"""setup makes an environment by pip from wheels of our own, mends it, and takes away what it made and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.__main__ import main
from backend.devices import CudaDriver
from backend.setup import environment, pins
from backend.setup.builds import BUILDS, Machine, fitting
from backend.setup.folder import SetupFolder
from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError
from tests.wheels import wheel

PINS = pins.read_pins()


@pytest.mark.parametrize(
    ("machine", "build"),
    [
        (Machine("linux", "x86_64"), "cpu"),
        (Machine("win32", "AMD64"), "cpu"),
        (Machine("darwin", "arm64"), "apple"),
        (Machine("darwin", "x86_64"), "cpu"),
        (Machine("linux", "x86_64", CudaDriver(13020, 1, (9, 0))), "cuda13"),
        (Machine("win32", "AMD64", CudaDriver(13000, 2, (7, 5))), "cuda13"),
        (Machine("linux", "x86_64", CudaDriver(13000, 2, (6, 1))), "cuda12"),  # one of the cards is too old for CUDA 13
        (Machine("linux", "x86_64", CudaDriver(12040, 1, (8, 6))), "cuda12"),
        (Machine("linux", "x86_64", CudaDriver(11080, 1, (8, 6))), "cpu"),
        (Machine("linux", "x86_64", CudaDriver(13000, 0, (0, 0))), "cpu"),  # a driver without a card
        (Machine("linux", "x86_64", amd=True), "rocm"),
        (Machine("linux", "x86_64", CudaDriver(13000, 1, (8, 6)), amd=True), "cuda13"),
    ],
)
def test_each_machine_gets_the_build_that_fits_and_hears_why(machine, build):
    chosen, why = fitting(machine)
    assert chosen is BUILDS[build] and why


def test_an_old_driver_is_said_to_be_old():
    assert "update" in fitting(Machine("linux", "x86_64", CudaDriver(11080, 1, (8, 6))))[1]


def test_the_pins_are_those_of_the_full_group_but_for_what_has_a_narrower_licence():
    assert PINS.torch.startswith("torch==")
    names = {pin.partition("==")[0] for pin in PINS.others}
    assert {"mido", "transformers", "safetensors"} <= names and not names & {"torch", "smplx"}
    assert all(";" not in pin or "python_version ==" not in pin for pin in (PINS.torch, *PINS.others, *PINS.alone))


def test_missing_pins_are_an_error_with_a_way_out(tmp_path):
    with pytest.raises(PianoHandsError) as caught:
        pins.read_pins(tmp_path / "pyproject.toml")
    assert caught.value.code == "no-pins" and caught.value.hint


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder that the person already used, wheels of everything, and what setup made of them."""
    wheels = tmp_path_factory.mktemp("wheels")
    for pin in PINS.alone:
        wheel(wheels, pin, requires=("not-to-be-had",))
    for pin in PINS.others:
        wheel(wheels, pin, requires=("numpy",) if pin.startswith("transformers") else ())
    wheel(wheels, PINS.torch)
    wheel(wheels, "numpy==1.0")
    folder = tmp_path_factory.mktemp("user")
    (folder / "takes").mkdir()
    (folder / "takes" / "mine.npz").write_bytes(b"mine")
    assert setup(folder, wheels) == 0
    return folder, wheels


def setup(folder, wheels, *options):
    return main(["setup", "--into", str(folder), "--wheels", str(wheels), "--build", "cpu", *options])


def torch_of(folder):
    return next((folder / places.ENVIRONMENT).rglob("torch/__init__.py"))


def test_the_environment_holds_the_pins_and_is_found(made, capfd):
    folder, _ = made
    python = places.made_python(folder)
    assert python is not None
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    wanted = dict(pin.split("==") for pin in (PINS.torch, *PINS.others, *PINS.alone))
    told = subprocess.run([python, "-I", "-c", code, *wanted], capture_output=True, check=True, text=True)
    assert json.loads(told.stdout) == wanted
    assert not (folder / places.DOWNLOADS).exists()


def test_run_again_it_mends_what_is_broken_and_keeps_the_rest(made, capfd):
    folder, wheels = made
    torch_of(folder).write_text("no longer what it was")
    (next((folder / places.ENVIRONMENT).rglob("mido-*.dist-info")) / "RECORD").unlink()  # as a killed pip leaves it
    before = places.environment_python(folder).lstat().st_mtime_ns
    assert setup(folder, wheels) == 0
    said = capfd.readouterr().out
    assert "[1/4]" in said and "On the disk: about 1.3 GB" in said
    assert torch_of(folder).read_text() == "value = 1\n"
    assert places.environment_python(folder).lstat().st_mtime_ns == before


def test_a_failed_try_says_what_to_do_is_not_used_and_can_be_repeated(made, tmp_path, capfd):
    folder, wheels = made
    (tmp_path / "none").mkdir()
    torch_of(folder).unlink()
    (next((folder / places.ENVIRONMENT).rglob("torch-*.dist-info")) / "METADATA").unlink()
    assert setup(folder, tmp_path / "none") == 1
    assert "Run the same command again" in capfd.readouterr().err
    assert places.made_python(folder) is None
    assert setup(folder, wheels) == 0 and places.made_python(folder)


def test_what_cannot_be_imported_is_said_with_its_last_words(made, monkeypatch):
    folder, _ = made
    monkeypatch.setattr(environment, "IMPORTS", ("torch", "a_library_that_is_missing"))
    with pytest.raises(PianoHandsError) as caught:
        environment.Environment(SetupFolder(folder), BUILDS["cpu"], PINS, environment.Sources(), print)._check()
    assert "a_library_that_is_missing" in caught.value.message and "--remove" in caught.value.hint


def test_removing_takes_what_setup_made_and_nothing_else(made, tmp_path, capfd):
    folder, wheels = made
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"")
    record = json.loads((folder / places.RECORD).read_text())
    record["made"] += [places.CHECKPOINT, "takes", "..", str(outside)]  # whoever wrote that there
    (folder / places.RECORD).write_text(json.dumps(record))
    (folder / places.CHECKPOINT).symlink_to(outside, target_is_directory=True)
    assert setup(folder, wheels, "--remove") == 0
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == ["takes", "takes/mine.npz"]
    assert (outside / "precious").exists()
    assert setup(folder, wheels, "--remove") == 1
    assert "Setup has made nothing" in capfd.readouterr().err


def test_a_folder_of_its_own_goes_with_the_rest(tmp_path):
    folder = SetupFolder(tmp_path / "new")
    folder.open()
    folder.claim(places.CHECKPOINT).mkdir()
    assert SetupFolder(tmp_path / "new").remove_all() == [places.CHECKPOINT]
    assert not (tmp_path / "new").exists()


def test_what_was_there_before_is_never_touched(tmp_path, capfd):
    (tmp_path / places.ENVIRONMENT).mkdir()
    (tmp_path / places.ENVIRONMENT / "mine").write_bytes(b"")
    assert setup(tmp_path, tmp_path) == 1
    assert "setup did not make it" in capfd.readouterr().err
    assert setup(tmp_path, tmp_path, "--remove") == 0
    assert [path.name for path in tmp_path.rglob("*")] == [places.ENVIRONMENT, "mine"]


def test_a_foreign_record_is_not_overwritten(tmp_path):
    (tmp_path / places.RECORD).write_text("{}")
    with pytest.raises(PianoHandsError) as caught:
        SetupFolder(tmp_path)
    assert caught.value.code == "not-ours" and places.made_python(tmp_path) is None


def test_a_full_disk_is_said_before_any_work(tmp_path, monkeypatch, capfd):
    usage = environment.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000_000))
    assert setup(tmp_path, tmp_path) == 1
    assert "1.0 GB left, and this needs 1.6 GB" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [places.RECORD]


def test_it_runs_where_nothing_is_installed(tmp_path):
    code = "import sys; sys.modules['numpy'] = None; import backend.__main__ as m; sys.exit(m.main(['setup', '--help']))"
    told = subprocess.run([sys.executable, "-S", "-c", code], cwd=pins.ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0 and "--into" in told.stdout, told.stderr


def test_an_index_given_by_hand_is_for_torch_alone():
    sources = environment.Sources("https://mirror.example/torch")
    assert sources.options(BUILDS["cuda13"]) == ["--index-url", "https://mirror.example/torch"]
    assert sources.options() == []
    assert environment.Sources().options(BUILDS["cuda13"]) == ["--index-url", BUILDS["cuda13"].index]
    assert environment.Sources().options(BUILDS["apple"]) == []


@pytest.mark.skipif(os.name == "nt", reason="a link needs rights there")
def test_a_link_in_place_of_the_environment_is_taken_away_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"")
    folder = SetupFolder(tmp_path / "user")
    folder.open()
    folder.claim(places.ENVIRONMENT).symlink_to(outside, target_is_directory=True)
    folder.drop(places.ENVIRONMENT)
    assert (outside / "precious").exists() and not Path(tmp_path / "user" / places.ENVIRONMENT).exists()
