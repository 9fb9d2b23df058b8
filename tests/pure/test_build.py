# SPDX-License-Identifier: GPL-3.0-or-later
"""build.py: pins, what goes into the zip, and how results of tests are counted. Nothing is installed or fetched here."""

import importlib.util
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.tally import read_record

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", ROOT / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifest() -> dict:
    return tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))


def test_every_requirement_is_pinned_in_pyproject_and_nowhere_else(build: ModuleType) -> None:
    for pin in build.pins("blender", "test"):
        assert re.fullmatch(r"[\w-]+==[\w.]+", pin), pin
    others = [ROOT / "README.md", ROOT / ".ci" / "run"]
    assert not [path.name for path in others if re.search(r"(mido|bpy|pytest)==", path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("running", "module"), [("3.11", "bpy==4.5.15"), ("3.13", "bpy==5.2.3"), ("3.12", None)])
def test_each_python_gets_the_module_that_fits(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, running: str, module: str | None
) -> None:
    monkeypatch.setattr(build, "RUNNING", running)
    assert [pin for pin in build.pins("blender") if pin.startswith("bpy")] == ([module] if module else [])
    if module is None:
        with pytest.raises(build.Fault, match=r"3\.11 and 3\.13"):
            build.environment("blender")


def test_midi_needs_no_torch(build: ModuleType) -> None:
    assert not [pin for pin in build.pins("blender", "test") if "torch" in pin]


def test_wheels_in_the_manifest_are_the_pinned_ones(build: ModuleType, project: dict, manifest: dict) -> None:
    wheels = project["tool"]["piano-hands"]["wheels"]
    assert sorted(manifest["wheels"]) == sorted(f"./wheels/{name}" for name in wheels)
    assert {"{}=={}".format(*name.split("-")[:2]) for name in wheels} == set(build.pins())
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in wheels.values())


def test_the_version_is_the_same_everywhere(project: dict, manifest: dict) -> None:
    version = manifest["version"]
    assert project["project"]["version"] == version
    assert f"{manifest['id']}-{version}.zip" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_zip_mirrors_the_repository(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    for folder in ("s2c_blender/__pycache__", "backend", "rigs", "wheels", "tests"):
        (source / folder).mkdir(parents=True)
    for file in ("s2c_blender/__init__.py", "s2c_blender/__pycache__/a.pyc", "backend/.hidden", "rigs/hand.npz", "wheels/a.whl"):
        (source / file).write_text("x")
    for file in ("blender_manifest.toml", "pyproject.toml", "LICENSE", "README.md", "build.py"):
        (source / file).write_text("x")
    monkeypatch.setattr(build, "ROOT", source)
    build.stage_files(tmp_path / "stage")
    staged = {path.relative_to(tmp_path / "stage").as_posix() for path in (tmp_path / "stage").rglob("*") if path.is_file()}
    expected = {
        "__init__.py",
        "blender_manifest.toml",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "s2c_blender/__init__.py",
        "rigs/hand.npz",
        "wheels/a.whl",
    }
    assert staged == expected
    assert "from .s2c_blender import register, unregister" in (tmp_path / "stage" / "__init__.py").read_text()


RECORD = """<testsuites><testsuite>
<testcase classname="tests.pure.test_a" name="test_one"/>
<testcase classname="tests.pure.test_a" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.pure.test_a" name="test_three"><skipped message="no GPU"/></testcase>
<testcase classname="tests.pure.test_a" name="test_four"><error message="fixture"/></testcase>
</testsuite></testsuites>"""


def test_results_are_counted_from_the_record(tmp_path: Path) -> None:
    record = tmp_path / "record.xml"
    record.write_text(RECORD)
    tally = read_record(record, "pure", code=1, seconds=1.0)
    assert tally.passed == 1
    assert tally.failed == ["tests/pure/test_a.py::test_two", "tests/pure/test_a.py::test_four"]
    assert tally.skipped == [("tests/pure/test_a.py::test_three", "no GPU")]


def test_a_group_that_ran_nothing_or_broke_off_has_failed(tmp_path: Path) -> None:
    record = tmp_path / "record.xml"
    assert read_record(record, "bpy", code=5, seconds=0.0).failed
    assert read_record(record, "bpy", code=-11, seconds=0.0).failed
    record.write_text(
        '<testsuites><testsuite><testcase classname="" name="a"><skipped message="no bpy"/></testcase></testsuite></testsuites>'
    )
    skipped = read_record(record, "bpy", code=0, seconds=0.0)
    assert skipped.failed and skipped.skipped
    assert not read_record(record, "window", code=0, seconds=0.0).failed
    record.write_text('<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>')
    assert not read_record(record, "bpy", code=0, seconds=0.0).failed
    assert read_record(record, "bpy", code=3, seconds=0.0).failed


def program(folder: Path, says: str) -> str:
    path = folder / "blender"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a stand-in for Blender")
def test_an_old_blender_is_refused(build: ModuleType, tmp_path: Path) -> None:
    assert build.checked_blender(program(tmp_path, "Blender 4.5.3 LTS"))
    assert build.checked_blender(program(tmp_path, "noise first\nBlender 10.0.0"))
    for says in ("Blender 4.4.3", "Blender 3.6.0 LTS", "GIMP 3.0"):
        with pytest.raises(build.Fault):
            build.checked_blender(program(tmp_path, says))
    with pytest.raises(build.Fault):
        build.checked_blender(str(tmp_path / "nowhere"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a stand-in for Python")
def test_missing_libraries_are_named_with_their_debian_packages(build: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_text(
        "#!/bin/sh\necho 'ImportError: libXi.so.6: cannot open shared object file: No such file or directory' >&2\nexit 1\n"
    )
    path.chmod(0o755)
    with pytest.raises(build.Fault, match="apt-get install libxi6"):
        build._check_module(str(path))


def test_another_python_gets_an_environment_of_its_own(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    assert build._environment_folder() == tmp_path / ".venv"
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = x\nversion = 3.11.7\n")
    for running, name in (("3.11", ".venv"), ("3.13", ".venv-3.13")):
        monkeypatch.setattr(build, "RUNNING", running)
        assert build._environment_folder() == tmp_path / name


@pytest.mark.parametrize("command", [[], ["demo"], ["test"], ["bench"], ["package"], ["check"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    told = subprocess.run([sys.executable, "build.py", *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage:" in told.stdout


def test_the_continuous_integration_runs_exactly_the_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-1].removeprefix("exec ") == "python3 build.py test"


@pytest.mark.parametrize(
    ("arguments", "groups", "passed"),
    [
        (["piece.mid"], ("blender",), ["--prior", "planner"]),
        (["sound.mp3"], ("blender", "full"), ["--prior", "planner"]),
        (
            ["piece.mid", "--recording", "a.wav"],
            ("blender", "full"),
            ["--recording", str(ROOT / "a.wav"), "--prior", "planner"],
        ),
        (
            ["a.wav", "--prior", "s2c", "--checkpoint", "c", "--mano", "m", "--steps", "20", "--compatibility", "reference"],
            ("blender", "full"),
            ["--checkpoint", str(ROOT / "c"), "--mano", str(ROOT / "m"), "--steps", "20", "--compatibility", "reference"],
        ),
    ],
)
def test_demo_asks_for_torch_only_where_there_is_something_to_listen_to(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, arguments: list[str], groups: tuple[str, ...], passed: list[str]
) -> None:
    asked: list[object] = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(build, "environment", lambda *names: asked.append(names) or "python")
    monkeypatch.setattr(build, "_run", lambda command: asked.append(command) or 0)
    monkeypatch.setattr(sys, "argv", ["build.py", "demo", *arguments])
    assert build.main() == 0
    assert asked[0] == groups and asked[1][-len(passed) :] == passed
