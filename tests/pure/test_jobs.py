# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's handle on the backend, and a job's state: nothing the backend does or says goes unnoticed."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from s2c_blender.jobs import client, process
from s2c_blender.jobs.client import Backend, Died
from s2c_blender.jobs.job import STAGES, Job, Phase
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import PROTOCOL, Failed, Finished, Generate, Hello, JobCancelled, Progress, Warned, encode
from tests import midi_files

REQUEST = Generate("job1", "in.mid", "out.npz")
HELLO = encode(Hello(PROTOCOL, "0", "3", "built-in", (), ()))

#: Backends that misbehave: a folder with a `backend` of their own.
WAITS = "import sys; sys.stdin.read()"
DEAF = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print({HELLO!r}, flush=True)
time.sleep(60)
"""


def listen(backend, until, *, seconds=60.0):
    """Poll until an event fits; returns everything heard."""
    heard, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        new = backend.poll()
        heard += new
        if any(until(event) for event in new):
            return heard
    raise AssertionError(f"never heard it; heard {heard}; the log says {backend.log_tail()}")


@pytest.fixture
def started(tmp_path):
    """Starts backends, by default the real one, and ends them all."""
    backends = []

    def start(script=None):
        root = process.ROOT
        if script is not None:
            root = tmp_path / f"root{len(backends)}"
            (root / "backend").mkdir(parents=True)
            (root / "backend" / "__main__.py").write_text(script)
        backends.append(Backend.start(tmp_path / "sessions", root=root))
        return backends[-1]

    yield start
    for backend in backends:
        backend.close()


def is_a(*kinds):
    return lambda event: isinstance(event, kinds)


def test_a_job_from_start_to_finish(started, tmp_path):
    backend = started()
    piece = midi_files.piece(tmp_path / "piece.mid")
    job = Job(Generate("job1", str(piece), str(tmp_path / "take.npz")))
    backend.generate(job.request)
    fractions = []
    for event in listen(backend, is_a(Finished, Failed)):
        job.hear(event)
        fractions.append(job.fraction)
    assert job.phase is Phase.READY and job.clip == tmp_path / "take.npz" and job.clip.exists()
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert backend.hello and backend.hello.level in ("built-in", "full")
    record = (backend.session / process.EVENTS).read_text().splitlines()
    assert '"hello"' in record[0] and '"finished"' in record[-1]
    pid = backend.pid
    backend.close()
    assert not backend.alive
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_backend_killed_in_the_middle_is_an_event_with_the_end_of_its_log(started):
    backend = started(f"import sys\nprint({HELLO!r}, flush=True)\nprint('last words', file=sys.stderr, flush=True)\n{WAITS}")
    job = Job(REQUEST)
    backend.generate(job.request)
    listen(backend, is_a(Hello))
    os.kill(backend.pid, signal.SIGKILL)
    died = listen(backend, is_a(Died))[-1]
    assert died.exit_code != 0 and "last words" in died.log_tail
    assert backend.poll() == [] and not backend.alive
    job.hear(died)
    assert job.phase is Phase.FAILED and job.error.code == "backend-died"
    assert "last words" in job.error.message and "Generate again" in job.error.hint and "in the middle" in job.error.message


def test_a_backend_that_cannot_even_start_points_to_the_preferences(started):
    backend = started("import a_package_that_is_not_there")
    job = Job(REQUEST)
    job.hear(listen(backend, is_a(Died))[-1])
    assert "did not start" in job.error.message and "a_package_that_is_not_there" in job.error.message
    assert "preferences" in job.error.hint


def test_what_was_said_before_dying_is_heard_first(started):
    last = encode(Finished("job1", "out.npz"))
    backend = started(f"print({HELLO!r})\nprint({last!r}, flush=True)\nraise SystemExit(3)")
    heard = listen(backend, is_a(Died))
    assert [type(event) for event in heard] == [Hello, Finished, Died] and heard[-1].exit_code == 3


def test_a_wrong_protocol_version_is_said_and_ends_the_backend(started):
    other = HELLO.replace(f'"protocol": {PROTOCOL}', f'"protocol": {PROTOCOL + 1}')
    backend = started(f"print({other!r}, flush=True)\n{WAITS}")
    job = Job(REQUEST)
    for event in listen(backend, is_a(Died)):
        job.hear(event)
    assert job.phase is Phase.FAILED and job.error.code == "wrong-protocol"  # not what came after it
    assert str(PROTOCOL + 1) in job.error.message and "Install" in job.error.hint


@pytest.mark.parametrize("garbage", ["Segmentation fault", '{"type": "dance"}', '{"type": "finished", "job": "job1"}'])
def test_garbage_from_the_backend_fails_the_job_and_names_it(started, garbage):
    backend = started(f"print({HELLO!r})\nprint({garbage!r}, flush=True)\n{WAITS}")
    job = Job(REQUEST)
    for event in listen(backend, is_a(Failed)):
        job.hear(event)
    assert job.phase is Phase.FAILED and job.error.code == "bad-message"


def test_half_a_line_waits_for_its_end(tmp_path, started):
    backend = started(WAITS)
    events = backend.session / process.EVENTS
    line = encode(JobCancelled("job1")) + "\n"
    with open(events, "a") as file:
        for part in (line[:10], line[10:-1]):
            file.write(part)
            file.flush()
            assert backend.poll() == []
        file.write("\n")
    assert backend.poll() == [JobCancelled("job1")]


def test_cancel_is_a_file_the_backend_sees(started):
    backend = started(
        f"""
import pathlib, sys, time
print({HELLO!r}, flush=True)
session = pathlib.Path(sys.argv[-1])
while not (session / "cancel-job1").exists():
    time.sleep(0.005)
print({encode(JobCancelled("job1"))!r}, flush=True)
"""
    )
    listen(backend, is_a(Hello))
    job = Job(REQUEST)
    backend.cancel("job1")
    for event in listen(backend, is_a(JobCancelled)):
        job.hear(event)
    assert job.phase is Phase.CANCELLED


def test_no_answer_to_a_cancel_terminates_then_kills(started, monkeypatch):
    monkeypatch.setattr(client, "CANCEL_PATIENCE", 0.1)
    monkeypatch.setattr(client, "KILL_PATIENCE", 0.1)
    backend = started(DEAF)
    listen(backend, is_a(Hello))
    job = Job(REQUEST, phase=Phase.CANCELLING)
    backend.cancel("job1")
    for event in listen(backend, is_a(Died)):
        job.hear(event)
    assert job.phase is Phase.CANCELLED
    assert not backend.alive


def test_a_program_that_never_says_hello_is_ended(started, monkeypatch):
    monkeypatch.setattr(client, "HELLO_PATIENCE", 0.1)
    backend = started(WAITS)
    assert isinstance(listen(backend, is_a(Died))[-1], Died)


def test_a_closed_backend_leaves_no_process(started, monkeypatch):
    monkeypatch.setattr(client, "CLOSE_PATIENCE", 0.2)
    for script in (WAITS, DEAF):
        backend = started(script)
        backend.close()
        backend.close()
        assert not backend.alive and backend.poll() == []
        with pytest.raises(ProcessLookupError):
            os.kill(backend.pid, 0)


def test_saying_something_to_a_dead_backend_is_no_error(started):
    backend = started("raise SystemExit(1)")
    listen(backend, is_a(Died))
    backend.generate(REQUEST)
    assert backend.poll() == []


def test_a_python_that_is_none_is_said_so(tmp_path):
    for python in (tmp_path / "nothing", tmp_path):
        with pytest.raises(PianoHandsError) as caught:
            Backend.start(tmp_path / "sessions", python=python)
        assert caught.value.code == "no-python" and "preferences" in caught.value.hint


def test_a_sessions_folder_that_cannot_be_is_said_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PianoHandsError) as caught:
        process.new_session(tmp_path / "file" / "sessions")
    assert caught.value.code == "no-session"


def test_old_sessions_go_and_recent_ones_stay(tmp_path):
    old, recent, foreign = process.new_session(tmp_path), process.new_session(tmp_path), tmp_path / "foreign"
    foreign.mkdir()
    for session in (old, recent):
        (session / process.EVENTS).touch()
    os.utime(old / process.EVENTS, (1.0, 1.0))
    new = process.new_session(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([recent, foreign, new])


def test_the_backend_sees_the_staged_wheels_and_nothing_of_the_persons_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    assert "PYTHONPATH" not in process.environment(tmp_path)
    (tmp_path / "wheels").mkdir()
    for name in ("b.whl", "a.whl"):
        (tmp_path / "wheels" / name).touch()
    assert process.environment(tmp_path)["PYTHONPATH"].split(os.pathsep) == [
        str(tmp_path / "wheels" / name) for name in ("a.whl", "b.whl")
    ]


@pytest.mark.parametrize("prior", list(STAGES))
def test_the_shares_of_the_stages_are_a_whole(prior):
    assert sum(STAGES[prior].values()) == pytest.approx(1.0)


def test_the_stages_of_the_other_prior_have_shares_of_their_own():
    job = Job(Generate("job1", "in.wav", "out.npz", prior="s2c", checkpoint="folder", raw=True))
    shares = STAGES["raw"]
    job.hear(Progress("job1", "sampling", 1, 2))
    assert job.fraction == pytest.approx(1 - shares["saving"] - 0.5 * shares["sampling"])


def test_a_job_passes_over_what_is_said_about_others():
    job = Job(REQUEST)
    job.hear(Progress("other", "solving", 1, 2))
    job.hear(Finished("other", "x.npz"))
    job.hear(Failed("other", "x", "y", "z"))
    assert job.phase is Phase.WORKING and job.fraction == 0.0


def test_what_comes_late_changes_nothing():
    finished = Finished("job1", "x.npz")
    cancelled, failed = Job(REQUEST, phase=Phase.CANCELLING), Job(REQUEST)
    cancelled.hear(finished)
    assert cancelled.phase is Phase.CANCELLED
    failed.hear(Failed(None, "bad-message", "Garbage.", ""))
    failed.hear(finished)
    assert failed.phase is Phase.FAILED
    ready = Job(REQUEST)
    ready.hear(finished)
    ready.hear(Died(1, ""))
    assert ready.phase is Phase.READY  # the clip is there, whatever became of the backend


def test_a_job_keeps_warnings_and_estimates_the_rest():
    job = Job(REQUEST, began=time.monotonic() - 10.0)
    assert job.remaining() is None
    job.hear(Warned("job1", "long-piece", "Long.", "Wait."))
    job.hear(Progress("job1", "solving", 1, 2))
    assert [warning.code for warning in job.warnings] == ["long-piece"]
    assert job.remaining() == pytest.approx(10.0 * (1 - job.fraction) / job.fraction, rel=0.05)
    job.hear(Progress("job1", "reading", 1, 2))
    shares = STAGES["planner"]
    before = list(shares)[: list(shares).index("solving")]
    assert job.fraction == pytest.approx(sum(shares[stage] for stage in before) + shares["solving"] / 2)  # never backwards


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_real_backend_killed_in_the_middle_leaves_no_take(started, tmp_path):
    backend = started()
    piece = midi_files.piece(tmp_path / "piece.mid", notes=300)
    (tmp_path / "take.npz").write_bytes(b"what was there before")
    backend.generate(Generate("job1", str(piece), str(tmp_path / "take.npz")))
    listen(backend, lambda event: isinstance(event, Progress) and event.stage == "planning")
    os.kill(backend.pid, signal.SIGKILL)
    assert isinstance(listen(backend, is_a(Died))[-1], Died)
    assert (tmp_path / "take.npz").read_bytes() == b"what was there before"
    assert Path(piece).exists() and not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".take*"))
