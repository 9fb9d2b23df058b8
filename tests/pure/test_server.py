# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as a server, run as the add-on runs it: lines in, lines out, whatever happens."""

import json
import subprocess
import sys
import time

import pytest

from s2c_blender.jobs import process
from s2c_blender.wire.messages import (
    PROTOCOL,
    Failed,
    Finished,
    Generate,
    Hello,
    JobCancelled,
    Progress,
    Shutdown,
    encode,
)
from tests import midi_files
from tests.served import Server, busy


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.child.kill()
    server.child.wait()


def generate(folder, piece, **values):
    return Generate("job1", str(piece), str(folder / "take.npz"), **values)


def test_hello_comes_within_a_second_and_says_what_this_is(tmp_path):
    began = time.perf_counter()
    server = Server(tmp_path)
    hello = server.hear()
    took = time.perf_counter() - began
    server.end()
    assert isinstance(hello, Hello)
    assert hello.protocol == PROTOCOL and hello.level in ("built-in", "full")
    assert hello.version and hello.devices[0] == "cpu"
    assert hello.models == (("planner",) if hello.missing else ("planner", "s2c"))
    assert (hello.level == "full") == (not hello.missing)
    assert took < 1.0


def test_torch_and_mido_are_not_imported_to_say_hello():
    code = "import sys, backend.__main__, backend.server as server; server.config.hello(); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-s", "-c", code], capture_output=True, cwd=process.ROOT, check=True, text=True)
    assert "'torch'" not in done.stdout and "'mido'" not in done.stdout


def test_a_piece_becomes_a_clip(server, tmp_path):
    server.hear()
    server.say(generate(tmp_path, midi_files.piece(tmp_path / "piece.mid")))
    stages = []
    while isinstance(message := server.hear(), Progress):
        assert message.job == "job1" and 0 <= message.done <= message.total
        stages.append(message.stage)
    assert message == Finished("job1", str(tmp_path / "take.npz"))
    assert {"reading", "fingering", "solving", "saving"} <= set(stages)
    server.end()


def test_bad_input_fails_the_job_alone_and_the_next_one_works(server, tmp_path):
    server.hear()
    server.say(generate(tmp_path, tmp_path / "nothing.mid"))
    failed = server.hear_outcome()
    assert isinstance(failed, Failed) and failed.job == "job1" and failed.code == "no-file" and failed.hint
    server.say(generate(tmp_path, midi_files.piece(tmp_path / "piece.mid")))
    assert isinstance(server.hear_outcome(), Finished)
    server.end()


@pytest.mark.parametrize(
    ("garbage", "named"),
    [
        (b"hello there", "hello there"),
        (b"\x00\xff\xfe{", "no JSON"),
        (b'{"type": "dance"}', "dance"),
        (b'{"type": "generate", "job": "j", "input": "a", "output": "b", "colour": 1}', "colour"),
        (b'{"type": "generate", "job": "j", "input": 5, "output": "b"}', "input"),
        (encode(JobCancelled("j")).encode(), "JobCancelled"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_garbage_on_the_wire_is_named_and_passed_over(server, garbage, named):
    server.hear()
    server.say(b"")
    server.say(garbage)
    failed = server.hear()
    assert isinstance(failed, Failed) and failed.job is None and failed.code == "bad-message" and named in failed.message
    server.say(json.dumps({"type": "generate", "job": "j", "input": "/nowhere.mid", "output": "/nowhere.npz"}).encode())
    assert server.hear_outcome().job == "j"
    server.end()


def test_shutdown_ends_it(server):
    server.hear()
    server.say(Shutdown())
    assert server.child.wait(10) == 0


def test_stray_prints_cannot_break_the_protocol(tmp_path):
    code = """
import os, pathlib, sys
from backend import pipeline, server
def generate(request, listener, models):
    print("a stray print")
    os.write(1, b"a stray C library")
    os.system("echo a stray child")
    return pathlib.Path(request.output)
pipeline.generate = generate
sys.exit(server.serve(pathlib.Path(".")))
"""
    server = Server(tmp_path, code=code)
    server.hear()
    server.say(generate(tmp_path, "x"))
    assert server.hear() == Finished("job1", str(tmp_path / "take.npz"))
    server.end()
    assert (tmp_path / "log").read_text().count("a stray") == 3


def test_a_bug_in_a_job_is_said_so_and_logged_and_the_backend_lives(tmp_path):
    code = """
import pathlib, sys
from backend import pipeline, server
def generate(request, listener, models):
    return 1 / 0
pipeline.generate = generate
sys.exit(server.serve(pathlib.Path(".")))
"""
    server = Server(tmp_path, code=code)
    server.hear()
    for _ in range(2):
        server.say(generate(tmp_path, "x"))
        failed = server.hear()
        assert failed.job == "job1" and failed.code == "internal" and "ZeroDivisionError" in failed.message
    server.end()
    assert "Traceback" in (tmp_path / "log").read_text()


def busy_server(tmp_path):
    """A server in the middle of a job that looks at its cancel file as the solve does."""
    server = Server(tmp_path, code=busy(tmp_path))
    server.hear()
    server.say(generate(tmp_path, "x"))
    assert server.hear().stage == "solving"
    return server


def test_a_cancel_file_ends_the_job_at_the_next_look(tmp_path):
    server = busy_server(tmp_path)
    began = time.perf_counter()
    (tmp_path / "cancel-job1").touch()
    assert server.hear() == JobCancelled("job1")
    assert time.perf_counter() - began < 0.3
    server.say(Generate("job2", "x", "y"))
    assert server.hear() == Progress("job2", "solving", 0, 1)  # the file counts for its own job alone
    server.child.stdin.close()
    assert server.hear() == JobCancelled("job2")


def test_the_end_of_stdin_cancels_the_running_job_and_ends_the_backend(tmp_path):
    server = busy_server(tmp_path)
    began = time.perf_counter()
    server.child.stdin.close()
    assert server.child.wait(10) == 0
    assert time.perf_counter() - began < 1.0


def test_one_long_stage_does_not_flood_the_wire(tmp_path):
    code = """
import pathlib, sys
from backend import pipeline, server
def generate(request, listener, models):
    for number in range(100_000):
        listener.report("solving", number + 1, 100_000)
    return pathlib.Path(request.output)
pipeline.generate = generate
sys.exit(server.serve(pathlib.Path(".")))
"""
    server = Server(tmp_path, code=code)
    server.hear()
    server.say(generate(tmp_path, "x"))
    heard = []
    while isinstance(message := server.hear(), Progress):
        heard.append(message.done)
    assert heard[0] == 1 and heard[-1] == 100_000 and len(heard) < 100
    server.end()


def test_where_torch_is_missing_hello_says_so_and_s2c_is_refused_with_what_to_do(tmp_path):
    code = """
import pathlib, sys
from backend import config, server
config.missing_packages = lambda *_: ("torch", "safetensors")
sys.exit(server.serve(pathlib.Path(".")))
"""
    server = Server(tmp_path, code=code)
    hello = server.hear()
    assert hello.missing == ("torch", "safetensors") and hello.models == ("planner",) and hello.level == "built-in"
    server.say(generate(tmp_path, tmp_path / "a.wav", prior="s2c", checkpoint=str(tmp_path)))
    failed = server.hear_outcome()
    assert failed.code == "no-torch" and "torch, safetensors" in failed.message and "preferences" in failed.hint
    server.end()


HOLDING = """
import pathlib, sys
from backend import pipeline, server
class Device:
    def free_memory(self):
        print("freed", file=sys.stderr, flush=True)
def generate(request, listener, models):
    models._held = models._held or (object(), Device())
    return pathlib.Path(request.output)
pipeline.generate = generate
sys.exit(server.serve(pathlib.Path("."), idle=IDLE))
"""


def test_a_model_is_let_go_when_no_job_comes_for_a_while_and_only_then(tmp_path):
    server = Server(tmp_path, code=HOLDING.replace("IDLE", "0.4"))
    server.hear()
    for _ in range(3):
        server.say(generate(tmp_path, "x"))
        assert isinstance(server.hear(), Finished)
        assert not server.said_in_log("freed")
    deadline = time.monotonic() + 5.0
    while not server.said_in_log("freed"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert server.said_in_log("idle for 0.4 s")
    server.say(generate(tmp_path, "x"))
    assert isinstance(server.hear(), Finished)
    server.end()


def test_a_held_model_keeps_no_backend_alive(tmp_path):
    server = Server(tmp_path, code=HOLDING.replace("IDLE", "60.0"))
    server.hear()
    server.say(generate(tmp_path, "x"))
    server.hear()
    began = time.perf_counter()
    server.end()
    assert time.perf_counter() - began < 1.0
