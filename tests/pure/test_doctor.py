# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor says in words what works, whatever is broken, and its exit code is about MIDI files."""

import json
import subprocess
import sys

import pytest

from backend import doctor, probe
from backend.__main__ import main
from backend.setup import pins
from backend.setup.builds import BUILDS

FULL = {"python": "3.11.7", "packages": {"torch": "2.13.0+cpu", "mido": None}, "torch": {"devices": {"cpu": "2 threads"}}}


@pytest.fixture
def told(monkeypatch):
    """Has the process with torch say something, or die."""

    def tell(answer, code=0):
        output = json.dumps(answer) if isinstance(answer, dict) else answer
        done = subprocess.CompletedProcess([], code, stdout=output, stderr="Illegal instruction")
        monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: done)
        monkeypatch.setattr(pins, "read_pins", lambda: pins.Pins("torch==2.13.0", ("mido==1.3.3",)))

    return tell


def test_what_works_is_said_and_the_built_in_level_decides(told, capsys):
    told(FULL | {"packages": {"torch": "2.12.0", "mido": "1.3.3"}, "torch": {"error": "OSError: no DLL"}})
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for words in ("hands for four notes", "GB of memory", "free for temporary files", "MIDI files can be turned into takes"):
        assert words in said
    assert "torch 2.12.0 instead of 2.13.0" in said and "no DLL" in said and "no S2C checkpoint" in said and "setup --into" in said


def test_a_torch_that_brings_its_process_down_is_a_finding(told, capsys, tmp_path):
    told("", code=-4)
    found = doctor._full(tmp_path)
    assert [finding.works for finding in found] == [False] and "code -4: Illegal instruction" in found[0].words and found[0].todo


def test_a_card_that_torch_does_not_use_is_said(told, monkeypatch, tmp_path):
    told(FULL)
    monkeypatch.setattr(doctor, "fitting", lambda machine: (BUILDS["cuda13"], "NVIDIA's driver is there"))
    found = doctor._full(tmp_path)
    assert "uses the processor alone, though NVIDIA's driver is there" in found[-1].words and not found[-1].works


def test_whatever_goes_wrong_inside_it_ends_in_words_and_with_code_1(monkeypatch, capsys, told):
    told(FULL)

    def broken():
        raise RecursionError("round and round")

    monkeypatch.setattr(doctor, "_planner", broken)
    monkeypatch.setattr(doctor, "_full", lambda folder: broken())
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert said.count("round and round") == 2 and "cannot be turned into takes" in said


def test_without_numpy_and_mido_it_says_what_to_do(capsys):
    code = (
        "import sys; sys.modules.update(numpy=None, mido=None); import backend.doctor as d; from pathlib import Path; "
        "d._full = lambda folder: []; import backend.__main__ as m; sys.exit(m.main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=pins.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "NumPy cannot be imported" in done.stdout and done.stderr == ""


def test_the_probe_names_versions_and_what_is_not_there(monkeypatch):
    monkeypatch.setattr(probe, "_torch", dict)
    found = probe.probe(["mido", "no-such-package"])
    assert found["packages"]["mido"] and found["packages"]["no-such-package"] is None


def test_memory_is_known_here():
    memory = doctor.memory_gigabytes()
    assert memory is None or memory > 0.1
