# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom, and what no file of the project may hold. Read from the source, nothing is run."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("s2c_blender", "backend", "tests") for path in (ROOT / folder).rglob("*.py"))
SHIPPED = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "tests"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that a file imports anywhere in it, by its full name."""
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # `from .wire import clip` may name a module or what is in one.
            yield from ((f"{base}.{alias.name}", node) for alias in node.names)


def is_in(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def offences(paths: list[Path], allowed: Callable[[str], bool]) -> list[str]:
    return [
        f"{name(path)}:{node.lineno} imports {module}" for path in paths for module, node in imported(path) if not allowed(module)
    ]


def under(*folders: str) -> list[Path]:
    found = [path for path in SHIPPED if any(name(path) == folder or name(path).startswith(folder + "/") for folder in folders)]
    assert found, f"nothing under {folders}"
    return found


def test_the_addon_imports_neither_torch_nor_the_backend() -> None:
    assert not offences(under("s2c_blender"), lambda module: not is_in(module, "torch", "backend"))


def test_the_addon_uses_the_standard_library_numpy_and_blender_alone() -> None:
    allowed = (*sys.stdlib_module_names, "numpy", "bpy", "bmesh", "mathutils", "gpu", "aud", "bl_ext", "s2c_blender")
    assert not offences(under("s2c_blender"), lambda module: is_in(module, *allowed))


def test_the_backend_imports_no_blender_and_of_the_addon_only_wire_and_motion() -> None:
    def allowed(module: str) -> bool:
        if is_in(module, "s2c_blender"):
            return is_in(module, "s2c_blender.wire", "s2c_blender.motion")
        return not is_in(module, "bpy", "bmesh", "mathutils", "aud")

    assert not offences(under("backend"), allowed)


PLAIN = ["backend/perform", "backend/listen/synth.py", "backend/listen/tone.py", "s2c_blender/motion"]
PLAIN += [f"backend/s2c/{name}.py" for name in ("axes", "hand_model", "mano", "inert_pickle", "inert_arrays")]


@pytest.mark.parametrize("folder", PLAIN)
def test_arithmetic_needs_numpy_and_the_standard_library_alone(folder: str) -> None:
    ours = ("backend.perform", "backend.listen", "backend.s2c", "s2c_blender.wire", "s2c_blender.motion")
    assert not offences(under(folder), lambda module: is_in(module, *sys.stdlib_module_names, "numpy", *ours))


def test_wire_imports_nothing_of_ours() -> None:
    assert not offences(
        under("s2c_blender/wire"), lambda module: is_in(module, *sys.stdlib_module_names, "numpy", "s2c_blender.wire")
    )


def test_motion_imports_of_ours_only_wire() -> None:
    ours = ("s2c_blender.wire", "s2c_blender.motion")
    assert not offences(under("s2c_blender/motion"), lambda module: not is_in(module, "s2c_blender") or is_in(module, *ours))


def test_score_alone_imports_mido() -> None:
    assert [name(path) for path in SHIPPED if any(is_in(module, "mido") for module, _ in imported(path))] == ["backend/score.py"]


def test_the_mesh_alone_imports_smplx_and_nothing_unpickles() -> None:
    found = [name(path) for path in SHIPPED if any(is_in(module, "smplx", "chumpy") for module, _ in imported(path))]
    assert found == ["backend/s2c/mesh.py"]
    pickles = [name(path) for path in SHIPPED if any(is_in(module, "pickle", "marshal", "shelve") for module, _ in imported(path))]
    assert pickles == ["backend/s2c/reference_checkpoint.py"]  # which catches torch's pickle.UnpicklingError


def test_of_the_jobs_only_the_pump_imports_blender() -> None:
    jobs = under("s2c_blender/jobs")
    assert {name(path) for path in jobs if any(is_in(module, "bpy") for module, _ in imported(path))} <= {
        "s2c_blender/jobs/pump.py"
    }


def test_blender_is_not_needed_to_import_the_package_nor_wire_nor_motion() -> None:
    code = (
        "import sys; sys.modules['bpy'] = None; "
        "import s2c_blender, s2c_blender.wire.clip, s2c_blender.motion.skeleton, s2c_blender.jobs.client, backend.__main__; "
        "assert 'torch' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_network_never_imports_a_scheduler_nor_a_scheduler_a_network() -> None:
    networks = {"denoiser", "dual_denoiser", "blocks", "audio_encoder", "position", "coordination"}
    schedulers = {"schedule", "scheduler"}
    for path in (ROOT / "backend" / "s2c").glob("*.py"):
        told = {module.split(".")[2] for module, _ in imported(path) if is_in(module, "backend.s2c") and module.count(".") >= 2}
        assert not (path.stem in networks and told & schedulers), name(path)
        assert not (path.stem in schedulers and told & networks), name(path)


THREADS = ("threading", "_thread", "concurrent")


def test_nothing_starts_threads() -> None:
    assert not offences(SHIPPED, lambda module: not is_in(module, *THREADS))


def test_nothing_shipped_opens_ports_or_installs() -> None:
    forbidden = ("multiprocessing", "socket", "socketserver", "http.server", "asyncio", "pip", "ensurepip")
    assert not offences(SHIPPED, lambda module: not is_in(module, *forbidden))


def test_only_setup_and_data_fetch_reach_the_network_and_only_setup_makes_environments() -> None:
    network = ("http", "urllib.request", "urllib.error", "ftplib", "smtplib", "ssl")
    found = {name(path) for path in SHIPPED if any(is_in(module, *network) for module, _ in imported(path))}
    assert found == {"backend/setup/download.py"}
    found = {name(path) for path in SHIPPED if any(is_in(module, "venv") for module, _ in imported(path))}
    assert found == {"backend/setup/environment.py"}
    started = [path for path in SHIPPED if any(is_in(module, "backend.setup") for module, _ in imported(path))]
    assert {name(path) for path in started if path.parent.name != "setup"} == {
        "backend/__main__.py",
        "backend/doctor.py",
        "backend/data/fetch.py",
    }


def test_nothing_shipped_edits_the_module_search_path_or_runs_text_as_code() -> None:
    found: list[str] = []
    for path in SHIPPED:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.path", "sys.meta_path", "sys.path_hooks"):
                found.append(f"{name(path)}:{node.lineno} uses {ast.unparse(node)}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "compile"):
                found.append(f"{name(path)}:{node.lineno} calls {node.func.id}")
    assert not found


def test_rigs_hold_no_code() -> None:
    assert not [name(path) for path in (ROOT / "rigs").rglob("*") if path.suffix in {".py", ".pyc", ".so", ".sh", ".blend"}]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.split("\0") if line and (ROOT / line).is_file()]


def test_the_shipped_piece_is_the_only_midi_file_outside_the_tests() -> None:
    pieces = [name(path) for path in tracked() if path.suffix.lower() in {".mid", ".midi"}]
    assert [piece for piece in pieces if not piece.startswith("tests/")] == ["s2c_blender/pieces/demo.mid"]


def test_no_file_names_a_place_on_one_persons_machine() -> None:
    place = re.compile(
        rb"(?<![\w./-])/(?:" + b"|".join((b"work", b"home/\\w", b"root", b"Users/\\w", b"opt/wheels")) + rb")(?:/|\b)"
    )
    found = [name(path) for path in tracked() if path.suffix not in {".npz", ".png"} and place.search(path.read_bytes())]
    assert not [path for path in found if path != name(Path(__file__))]


def test_every_file_says_its_licence_and_what_it_is_for() -> None:
    found: list[str] = []
    for path in [*SOURCES, ROOT / "build.py"]:
        text = path.read_text(encoding="utf-8")
        empty = path.name == "__init__.py" and not text
        if not empty and not (
            text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n") and ast.get_docstring(ast.parse(text))
        ):
            found.append(name(path))
    assert not found


def test_files_can_be_read_in_one_sitting() -> None:
    assert not [name(path) for path in [*SHIPPED, ROOT / "build.py"] if len(path.read_text(encoding="utf-8").splitlines()) > 400]
