# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that shares no disk with the add-on: files travel inside the messages, and nothing in those is trusted."""

import base64
import os
import sys
import time
from pathlib import Path

import pytest

from backend import uploads
from backend.from_notes import render
from backend.score import read_midi
from backend.uploads import Uploads
from s2c_blender.jobs import client, process
from s2c_blender.jobs.client import Backend, Died
from s2c_blender.jobs.job import Job, Phase
from s2c_blender.jobs.process import Remote
from s2c_blender.wire import transfer
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import Chunk, Failed, FileBegins, Finished, Generate, Hello, JobCancelled, Progress, Received, encode
from s2c_blender.wire.terminal import ProgressBar
from s2c_blender.wire.transfer import CHUNK_BYTES, Incoming, Outgoing
from tests import midi_files
from tests.pure.test_jobs import HELLO, is_a, listen
from tests.served import Server, busy

#: The backend as on another machine: another working and temporary folder, and a shell that greets before it.
ELSEWHERE = """
import runpy, sys
print("Welcome!", flush=True)
sys.argv[1:] = ["serve"]
runpy.run_module("backend", run_name="__main__")
"""


@pytest.fixture
def far(tmp_path, monkeypatch):
    """Starts backends in a folder of their own and ends them; `far.folder` is all that they can write to."""
    started = []
    folder = tmp_path / "far"
    (folder / "tmp").mkdir(parents=True)

    def start(code=ELSEWHERE):
        monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
        monkeypatch.setattr(process, "environment", lambda root: os.environ | {"PYTHONPATH": str(process.ROOT)})
        started.append(Backend.start(tmp_path / "sessions", python=Remote((sys.executable, "-s", "-u", "-c", code))))
        return started[-1]

    start.folder = folder
    yield start
    for backend in started:
        backend.close()
    assert not list((folder / "tmp").iterdir()), "the backend left something behind"


def job_in(folder, **values):
    """A job of the near side, with a piece of more than one chunk."""
    folder.mkdir(exist_ok=True)
    piece = midi_files.piece(folder / "Für Elise?.mid")
    piece.write_bytes(piece.read_bytes() + b"XTRA" + (2 * CHUNK_BYTES).to_bytes(4, "big") + bytes(2 * CHUNK_BYTES))
    return Job(Generate("job1", str(piece), str(folder / "take.npz"), audio_output=str(folder / "take.wav"), **values))


def test_a_piece_goes_up_and_clip_and_sound_come_down(far, tmp_path):
    job = job_in(tmp_path / "near")
    backend = far()
    backend.generate(job.request)
    stages = []
    for event in listen(backend, is_a(Finished, Failed, Died)):
        job.hear(event)
        stages.append(job.stage)
    assert job.phase is Phase.READY and job.clip == tmp_path / "near" / "take.npz", job.error
    assert {"sending", "solving", "fetching"} <= set(stages)
    assert Clip.load(job.clip).made["input"] == "Für Elise_.mid"
    assert (tmp_path / "near" / "take.wav").read_bytes()[:4] == b"RIFF"
    assert sorted(path.name for path in (tmp_path / "near").iterdir()) == ["Für Elise?.mid", "take.npz", "take.wav"]
    assert not backend.carrying and backend.alive
    backend.close()
    record = (backend.session / process.EVENTS).read_text()
    assert '"finished"' in record and '"chunk"' not in record


def test_a_recording_of_the_piece_goes_up_too(far, tmp_path):
    near = tmp_path / "near"
    near.mkdir()
    piece, recording = midi_files.piece(near / "piece.mid"), near / "take.wav"  # named as what is made there
    render(read_midi(piece), recording, ProgressBar())
    backend = far()
    request = Generate("job1", str(piece), str(near / "take.npz"), recording=str(recording))
    backend.generate(request)
    sent = [event for event in listen(backend, is_a(Finished, Failed)) if isinstance(event, Progress) and event.stage == "sending"]
    made = Clip.load(near / "take.npz").made
    assert made["recording"] == "take.wav" and abs(made["offset"]) < 0.05
    whole = piece.stat().st_size + recording.stat().st_size
    assert {event.total for event in sent} == {whole} and sent[-1].done == whole
    assert [event.done for event in sent] == sorted(event.done for event in sent)


def test_a_second_job_goes_over_the_same_line(far, tmp_path):
    backend = far()
    for name in ("job1", "job2"):
        piece = midi_files.piece(tmp_path / f"{name}.mid")
        backend.generate(Generate(name, str(piece), str(tmp_path / f"{name}.npz"), seconds=0.5))
        assert listen(backend, is_a(Finished, Failed))[-1] == Finished(name, str(tmp_path / f"{name}.npz"))


def test_a_job_that_fails_there_says_why_here_and_leaves_nothing(far, tmp_path):
    (tmp_path / "no.mid").write_bytes(b"MThd and nothing")
    backend = far()
    backend.generate(Generate("job1", str(tmp_path / "no.mid"), str(tmp_path / "take.npz")))
    failed = listen(backend, is_a(Failed))[-1]
    assert failed.job == "job1" and "no.mid" in failed.message and str(far.folder) not in failed.message
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob(".take*"))


def test_cancelling_closes_the_line_and_the_next_job_needs_a_new_one(far, tmp_path):
    job = job_in(tmp_path / "near")
    backend = far(busy(Path()))
    backend.generate(job.request)
    for event in listen(backend, lambda event: isinstance(event, Progress) and event.stage == "solving"):
        job.hear(event)
    began = time.perf_counter()
    job.phase = Phase.CANCELLING
    backend.cancel("job1")
    assert not backend.alive
    for event in listen(backend, is_a(Died)):
        job.hear(event)
    assert job.phase is Phase.CANCELLED and time.perf_counter() - began < 2.0
    assert sorted(path.name for path in (tmp_path / "near").iterdir()) == ["Für Elise?.mid"]


def test_a_deaf_line_never_holds_blender_up(far, tmp_path, monkeypatch):
    """It says hello, takes the announcement, and then reads no more."""
    monkeypatch.setattr(client, "CANCEL_PATIENCE", 0.1)
    acknowledged = encode(Received("job1", "input", 0))
    backend = far(
        f"import sys, time\nprint({HELLO!r}, flush=True)\nsys.stdin.readline()\nprint({acknowledged!r}, flush=True)\ntime.sleep(60)"
    )
    job = job_in(tmp_path / "near")
    backend.generate(job.request)
    listen(backend, is_a(Progress))
    began = time.perf_counter()
    for _ in range(20):
        backend.poll()
    backend.cancel("job1")
    assert time.perf_counter() - began < 1.0
    listen(backend, is_a(Died))


def hostile(*messages):
    """A far side that says these after the announcement of an upload."""
    lines = "".join(f"print({encode(message)!r}, flush=True)\n" for message in messages)
    return f"import sys\nprint({HELLO!r}, flush=True)\nsys.stdin.readline()\n{lines}sys.stdin.read()"


DATA = base64.b64encode(b"1234").decode()
CLIP = FileBegins("job1", "clip", "x", 4)


@pytest.mark.parametrize(
    "messages",
    [
        (Chunk("job1", "clip", 0, DATA),),
        (FileBegins("job1", "input", "x", 4),),
        (CLIP, CLIP),
        (CLIP, Chunk("job1", "clip", 1, DATA)),
        (CLIP, Chunk("job1", "clip", 0, "!!!!")),
        (CLIP, Chunk("job1", "clip", 0, DATA), Chunk("job1", "clip", 1, DATA)),
        (CLIP, Finished("job1", "x")),
        (FileBegins("job1", "clip", "x", transfer.LARGEST_RESULT + 1),),
        (FileBegins("job1", "clip", "x", -1),),
        (Received("job1", "input", 7),),
        (Received("job1", "sound", 0),),
    ],
    ids=lambda messages: "-".join(type(message).__name__ for message in messages),
)
def test_a_far_side_that_lies_fails_the_job_and_writes_nothing(far, tmp_path, messages):
    backend = far(hostile(*messages))
    job = job_in(tmp_path / "near")
    backend.generate(job.request)
    for event in listen(backend, is_a(Failed)):
        job.hear(event)
    assert job.phase is Phase.FAILED and job.error.code == "bad-transfer" and job.error.hint
    assert not backend.carrying and not backend.alive
    assert sorted(path.name for path in (tmp_path / "near").iterdir()) == ["Für Elise?.mid"]


def test_a_piece_that_is_not_there_is_said_before_anything_is_sent(far, tmp_path):
    backend = far(hostile())
    with pytest.raises(PianoHandsError) as caught:
        backend.generate(Generate("job1", str(tmp_path / "none.mid"), str(tmp_path / "take.npz")))
    assert caught.value.code == "no-file"


def test_a_command_that_is_none_is_said_so(tmp_path):
    for words in ((), ("no-such-program-anywhere", "box")):
        with pytest.raises(PianoHandsError) as caught:
            Backend.start(tmp_path, python=Remote(words))
        assert caught.value.code == "no-python" and "command" in caught.value.message + caught.value.hint
    assert Remote.parse("ssh -p 22 'my box' piano-hands serve").words == ("ssh", "-p", "22", "my box", "piano-hands", "serve")
    assert Remote.parse("ssh 'box").words == ("ssh", "'box")


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_arrives_is_what_was_sent(tmp_path, size):
    source, target = tmp_path / "source.wav", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    outgoing = Outgoing(source, job="j", role="input")
    incoming = Incoming(outgoing.begins(), target, largest=size)
    while not outgoing.complete:
        chunk = outgoing.next_chunk()
        assert len(encode(chunk)) < 65536 - 4096  # one chunk fits into an empty pipe
        incoming.take(chunk)
    assert incoming.complete
    incoming.close()
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x.mid", "/x.mid", "a/b", "a\\b", "C:x", ".hidden", "x.mid ", "a\0b", "x" * 101]
)
def test_names_that_lead_elsewhere_are_refused_and_made_plain_by_who_sends(tmp_path, name):
    taken = Uploads()
    with pytest.raises(PianoHandsError) as caught:
        taken.begin(FileBegins("job1", "input", name, 4))
    assert caught.value.code == "bad-transfer"
    transfer.check_name(transfer.sendable_name(name))
    taken.close()


def refused(taken, message):
    with pytest.raises(PianoHandsError) as caught:
        taken.begin(message) if isinstance(message, FileBegins) else taken.take(message)
    assert caught.value.code == "bad-transfer"


def test_the_server_bounds_what_it_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads.tempfile, "tempdir", str(tmp_path))
    taken = Uploads()
    refused(taken, FileBegins("job1", "input", "x", transfer.LARGEST_UPLOAD + 1))
    refused(taken, FileBegins("job1", "clip", "x", 4))
    for number in range(4):
        taken.begin(FileBegins(f"job{number}", "input", "x", 4))
    refused(taken, FileBegins("job0", "input", "x", 4))
    refused(taken, FileBegins("job4", "input", "x", 4))
    refused(taken, Chunk("job9", "input", 0, DATA))
    refused(taken, Chunk("job0", "input", 1, DATA))
    refused(taken, Chunk("job0", "input", 0, DATA))  # what came wrong once is gone
    too_long = base64.b64encode(bytes(CHUNK_BYTES + 1)).decode()
    refused(taken, Chunk("job1", "input", 0, too_long))
    with pytest.raises(PianoHandsError):
        taken.received(Generate("job2", "x", "y", carried=True))  # not whole
    assert taken.take(Chunk("job2", "input", 0, DATA)) == Received("job2", "input", 1)
    whole = taken.received(Generate("job2", "../../etc", "/somewhere/else.npz", audio_output="/else.wav", carried=True))
    assert all(tmp_path in Path(path).parents for path in (whole.input, whole.output, whole.audio_output))
    assert Path(whole.input).read_bytes() == b"1234"
    taken.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_there_is_said_here(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads.tempfile, "tempdir", str(tmp_path))
    usage = uploads.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    taken = Uploads()
    refused(taken, FileBegins("job1", "input", "x", 4))
    taken.close()


def test_an_endless_line_is_cut_off_and_the_next_one_counts(tmp_path):
    server = Server(tmp_path)
    assert isinstance(server.hear(), Hello)
    server.say(b"x" * 3_000_000)
    failed = server.hear()
    assert isinstance(failed, Failed) and failed.code == "bad-message"
    server.say(FileBegins("job1", "input", "a.mid", 4))
    assert server.hear() == Received("job1", "input", 0)
    server.say(Received("job1", "input", 0))
    assert server.hear().code == "bad-message"
    server.end()


def test_a_job_whose_file_never_came_is_refused(tmp_path):
    server = Server(tmp_path)
    server.hear()
    server.say(Generate("job1", "x", "y", carried=True))
    assert server.hear().code == "bad-transfer"
    server.say(JobCancelled("job1"))
    assert server.hear().code == "bad-message"
    server.end()
