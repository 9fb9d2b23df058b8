# SPDX-License-Identifier: GPL-3.0-or-later
"""S2C as a job, with tiny random weights: through the pipeline, and through a server as the add-on runs it."""

import gc
import os
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from backend import pipeline  # noqa: E402
from backend.kept_model import KeptModel  # noqa: E402
from backend.listen.synth import render_score  # noqa: E402
from backend.s2c.take import BATCH  # noqa: E402
from backend.score import read_midi  # noqa: E402
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig  # noqa: E402
from s2c_blender.motion.skeleton import pad_points  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.errors import Cancelled, PianoHandsError  # noqa: E402
from s2c_blender.wire.keyboard import STANDARD_OCTAVE  # noqa: E402
from s2c_blender.wire.messages import Failed, Finished, Generate, JobCancelled, Progress  # noqa: E402
from tests import midi_files, tiny_s2c, wav_files  # noqa: E402
from tests.mano_files import mano_arrays, published, python2_pickle  # noqa: E402
from tests.served import Server  # noqa: E402

STEPS = 3
SECONDS = 8.0  # 240 frames: seven windows, in two batches


class Heard:
    """Notes what a job says; wants it to stop once it has said `stop_at`, a stage and the least that is done of it."""

    def __init__(self, stop_at=("", 0)):
        self.said, self.stop_at = [], stop_at

    def report(self, stage, done, total):
        assert 0 <= done <= total
        self.said.append((stage, done, total))

    def warn(self, warning):
        raise AssertionError(warning)

    def cancelled(self):
        return any(stage == self.stop_at[0] and done >= self.stop_at[1] for stage, done, _ in self.said)

    def of(self, stage):
        return [(done, total) for said, done, total in self.said if said == stage]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before, os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS"), "1"
    yield
    if before is None:
        del os.environ["OMP_NUM_THREADS"]


@pytest.fixture(autouse=True)
def four_windows_at_a_time(monkeypatch):
    """On every device."""
    for kind in BATCH:
        monkeypatch.setitem(BATCH, kind, 4)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a checkpoint and a recording."""
    folder = tmp_path_factory.mktemp("given")
    tiny_s2c.checkpoint(folder / "checkpoint")
    wav_files.recording(folder / "piece.wav", seconds=SECONDS)
    return folder


@pytest.fixture(scope="module")
def models():
    return KeptModel()


def asked(given, tmp_path, **changes):
    values = {"output": str(tmp_path / "take.npz"), "prior": "s2c", "steps": STEPS, "checkpoint": str(given / "checkpoint")}
    values |= {"raw": True}
    return Generate("job1", str(given / "piece.wav"), **(values | changes))


def test_a_recording_becomes_a_clip_without_notes(given, models, tmp_path):
    heard = Heard()
    request = asked(given, tmp_path, fps=30.0, hand_size=0.19, octave=0.14, seed=5)
    assert pipeline.generate(request, heard, models) == tmp_path / "take.npz"
    clip = Clip.load(tmp_path / "take.npz")
    assert clip.score.notes == () and clip.start == -1.0 and clip.fps == 30.0
    assert clip.times[-1] == pytest.approx(SECONDS, abs=0.05)
    assert np.allclose(np.linalg.norm(clip.rotation, axis=-1), 1.0, atol=1e-5) and np.isfinite(clip.translation).all()
    assert np.abs(np.diff(clip.translation, axis=0)).max() > 0  # hands move
    assert (clip.hand_size, clip.octave) == (0.19, 0.14)
    assert clip.made["prior"] == "s2c" and clip.made["seed"] == 5 and clip.made["steps"] == STEPS
    assert clip.made["input"] == "piece.wav" and clip.made["checkpoint"] == "checkpoint" and clip.made["version"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.npz"]


@pytest.fixture(scope="module")
def piece(given):
    """A MIDI file, and its sound."""
    score = read_midi(midi_files.piece(given / "piece.mid", notes=24, seconds_apart=0.25))
    render_score(score, given / "played.wav", sample_rate=16000)
    return given / "piece.mid"


class Warned(Heard):
    """Listens to warnings, too."""

    def __init__(self):
        super().__init__()
        self.warnings = {}

    def warn(self, warning):
        self.warnings[warning.code] = warning.message


def test_with_a_midi_file_of_it_the_keys_move_and_the_hands_play_them(given, models, tmp_path, piece):
    heard = Warned()
    changes = {"input": str(piece), "recording": str(given / "played.wav"), "raw": False}
    take = pipeline.generate(replace(asked(given, tmp_path, seed=2), **changes), heard, models)
    clip = Clip.load(take)
    assert len(clip.score.notes) == 24 and clip.fingering.played.all() and len(clip.score.bars) > 1
    assert clip.made["prior"] == "s2c" and clip.made["seed"] == 2 and clip.made["on_keys"] == 1.0
    assert clip.made["recording"] == "played.wav" and clip.made["input"] == "piece.mid"
    # A model of random numbers goes where it likes: that is found out, and said.
    assert set(clip.made["registration"]) == {"right", "left"}
    assert "confidence" in heard.warnings["not-registered"] and "aligned" in heard.warnings
    tips = pad_points(hand_skeleton(load_hand_rig()), clip.rotation, clip.translation)[..., 2].min(axis=-1)
    note = clip.fingering
    frames = np.rint((note.strike - clip.start) * clip.rate).astype(int) + 1
    reached = tips[frames, note.hand, note.finger - 1]
    assert np.quantile(reached, 0.9) < 0.008  # at or below the tops of their keys

    part = replace(
        asked(given, tmp_path, seed=3), input=str(take), recording=str(given / "played.wav"), begin=2.0, end=4.0, raw=False
    )
    again = Clip.load(pipeline.generate(replace(part, output=str(tmp_path / "again.npz")), heard, models))
    kept = (clip.times < 1.99) | (clip.times > 4.02)
    np.testing.assert_array_equal(again.rotation[kept], clip.rotation[kept])
    np.testing.assert_array_equal(again.translation[kept], clip.translation[kept])
    assert not np.array_equal(again.rotation, clip.rotation)
    assert again.made["again"] == [{"begin": 2.0, "end": 4.0, "seed": 3, "prior": "s2c"}] and again.made["seed"] == 2


def test_progress_counts_every_window_of_every_step(given, models, tmp_path):
    heard = Heard()
    pipeline.generate(asked(given, tmp_path), heard, models)
    assert list(dict.fromkeys(stage for stage, *_ in heard.said if stage != "loading")) == [
        "reading", "listening", "sampling", "saving",
    ]  # fmt: skip
    windows = heard.of("listening")[-1][1]
    assert windows == 7 and [done for done, _ in heard.of("listening")] == [4, 7]
    sampled = [done for done, _ in heard.of("sampling")]
    assert {total for _, total in heard.of("sampling")} == {windows * STEPS}
    assert list(dict.fromkeys(sampled)) == [4, 7, 11, 14, 18, 21]


@pytest.mark.parametrize("stop_at", [("reading", 1), ("listening", 4), ("sampling", 4), ("sampling", 11), ("saving", 0)])
def test_a_cancel_is_seen_within_one_step_and_leaves_nothing(given, models, tmp_path, stop_at):
    heard = Heard(stop_at)
    with pytest.raises(Cancelled):
        pipeline.generate(asked(given, tmp_path), heard, models)
    assert heard.said[-1][:2] == stop_at or stop_at[0] == "reading"  # not even another batch
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(given, models, tmp_path):
    takes = {}
    for name, changes in (
        ("a", {}),
        ("b", {}),
        ("fresh", {}),
        ("seed", {"seed": 1}),
        ("reference", {"compatibility": "reference"}),
        ("reference again", {"compatibility": "reference"}),
    ):
        torch.manual_seed(len(takes))  # what others draw changes nothing
        output = tmp_path / f"{name}.npz"
        keeping = KeptModel() if name == "fresh" else models
        pipeline.generate(asked(given, tmp_path, output=str(output), **changes), Heard(), keeping)
        takes[name] = output.read_bytes()
    assert takes["a"] == takes["b"] == takes["fresh"] and takes["reference"] == takes["reference again"]
    assert len(set(takes.values())) == 3


def test_a_seed_is_drawn_without_touching_torchs_own_generator(given, models, tmp_path):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    pipeline.generate(asked(given, tmp_path, compatibility="reference"), Heard(), models)
    assert torch.equal(torch.rand(3), expected)


def test_another_octave_leaves_the_hands_over_the_same_keys(given, models, tmp_path):
    clips = []
    for octave in (STANDARD_OCTAVE, 0.5 * (STANDARD_OCTAVE + 0.14)):
        pipeline.generate(asked(given, tmp_path, octave=octave), Heard(), models)
        clips.append(Clip.load(tmp_path / "take.npz"))
    assert np.allclose(clips[0].translation[..., 0] / STANDARD_OCTAVE, clips[1].translation[..., 0] / clips[1].octave, atol=1e-5)
    assert np.array_equal(clips[0].translation[..., 1:], clips[1].translation[..., 1:])


def test_a_model_is_kept_until_another_is_asked_for_or_its_files_change(given, tmp_path):
    folder = tiny_s2c.checkpoint(tmp_path / "one")
    models, heard = KeptModel(), Heard()
    first, _ = models.load(folder, heard)
    assert models.load(folder, heard)[0] is first and len(heard.of("loading")) == 2  # begun and done, once
    gone = weakref.ref(first)
    del first
    tiny_s2c.checkpoint(folder, seed=1)
    os.utime(folder / "config.json", (1, 1))
    second, _ = models.load(folder, heard)
    assert gone() is None and len(heard.of("loading")) == 4
    gone = weakref.ref(second)
    del second
    assert models.held and models.let_go() and not models.held and not models.let_go()
    gc.collect()
    assert gone() is None


def test_memory_that_runs_out_is_said_so(given, models, tmp_path, monkeypatch):
    from backend.s2c import take

    def full(*_, **__):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate; out of memory")

    monkeypatch.setattr(take, "sample_take", full)
    with pytest.raises(PianoHandsError) as caught:
        pipeline.generate(asked(given, tmp_path), Heard(), models)
    assert caught.value.code == "out-of-memory" and caught.value.hint and not list(tmp_path.iterdir())


def test_a_folder_that_holds_no_checkpoint_is_named(given, models, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PianoHandsError) as caught:
        pipeline.generate(asked(given, tmp_path, checkpoint=str(tmp_path / "empty")), Heard(), models)
    assert caught.value.code == "bad-checkpoint" and "empty" in caught.value.message and "import-checkpoint" in caught.value.hint


def test_more_steps_than_the_model_has_are_refused_with_how_many_it_has(given, models, tmp_path):
    with pytest.raises(PianoHandsError, match="1 to 1000"):
        pipeline.generate(asked(given, tmp_path, steps=1001), Heard(), models)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("session"), "--idle", "1")
    server.hello = server.hear()
    yield server
    server.child.kill()
    server.child.wait()


def outcome(server):
    """What a job says until it ends: its stages, the seconds to its first sampled windows, and its last message."""
    began, stages, first = time.perf_counter(), [], 0.0
    while isinstance(message := server.hear(), Progress):
        stages.append(message.stage)
        if message.stage == "sampling":
            first = first or time.perf_counter() - began
    return list(dict.fromkeys(stages)), first, message


def test_served_the_second_job_starts_at_once_with_the_model_of_the_first(server, given, tmp_path):
    assert server.hello.models == ("planner", "s2c") and server.hello.level == "full"
    waits = []
    for number in (1, 2):
        server.say(asked(given, tmp_path, output=str(tmp_path / f"{number}.npz")))
        stages, first, last = outcome(server)
        assert last == Finished("job1", str(tmp_path / f"{number}.npz"))
        assert ("loading" in stages) == (number == 1)
        waits.append(first)
    assert waits[1] < 0.5 * waits[0]
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_served_a_cancel_file_ends_the_sampling_and_the_model_stays(server, given, tmp_path):
    server.say(asked(given, tmp_path, steps=1000))
    while (message := server.hear()).stage != "sampling":
        pass
    assert message.total == 7_000
    began = time.perf_counter()
    (server.session / "cancel-job1").touch()
    assert outcome(server)[2] == JobCancelled("job1")
    assert time.perf_counter() - began < 1.0
    (server.session / "cancel-job1").unlink()
    assert not list(tmp_path.iterdir())
    server.say(asked(given, tmp_path))
    stages, _, last = outcome(server)
    assert isinstance(last, Finished) and "loading" not in stages


def test_served_what_is_wrong_is_said_and_the_next_job_works(server, given, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound")
    for changes, code in (
        ({"checkpoint": str(tmp_path)}, "bad-checkpoint"),
        ({"checkpoint": str(tmp_path / "nowhere")}, "bad-checkpoint"),
        ({"steps": 0}, "bad-setting"),
    ):
        server.say(asked(given, tmp_path, **changes))
        failed = outcome(server)[2]
        assert isinstance(failed, Failed) and failed.code == code and failed.hint
    server.say(Generate("job1", str(tmp_path / "notes.wav"), str(tmp_path / "t.npz"), prior="s2c", checkpoint=str(given), raw=True))
    assert outcome(server)[2].code == "not-sound"


def test_served_a_mano_file_gives_another_pose_and_a_bad_one_is_refused_with_nothing_left(server, given, tmp_path):
    mano = tmp_path / "MANO_RIGHT.pkl"
    mano.write_bytes(python2_pickle(published(mano_arrays())))
    clips = {}
    for name, file in (("own.npz", None), ("mano.npz", str(mano))):
        server.say(asked(given, tmp_path, output=str(tmp_path / name), mano=file))
        assert isinstance(outcome(server)[2], Finished)
        clips[name] = Clip.load(tmp_path / name)
    assert clips["own.npz"].made["mean_pose"] == "own" and clips["mano.npz"].made["mean_pose"] == mano.name
    assert np.abs(clips["own.npz"].rotation - clips["mano.npz"].rotation)[:, :, 1:].max() > 0.05

    there = sorted(tmp_path.iterdir())
    mano.write_bytes(b"\x80\x02cos\nsystem\nU\x04true\x85R.")
    for file, code in ((mano, "bad-mano"), (tmp_path / "nowhere.pkl", "no-file"), (tmp_path, "bad-mano")):
        server.say(asked(given, tmp_path, mano=str(file)))
        stages, _, last = outcome(server)
        assert isinstance(last, Failed) and last.code == code and last.hint
        assert stages == ["reading"]
    assert sorted(tmp_path.iterdir()) == there


def test_served_an_idle_backend_gives_the_memory_back_and_loads_again_when_asked(server, given, tmp_path):
    server.say(asked(given, tmp_path))
    outcome(server)
    deadline = time.monotonic() + 8.0
    while not server.said_in_log("idle for 1 s"):
        assert time.monotonic() < deadline, "the model was never let go"
        time.sleep(0.05)
    server.say(asked(given, tmp_path))
    stages, _, last = outcome(server)
    assert "loading" in stages and isinstance(last, Finished)
