# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire's messages: everything comes back as it was sent, and nothing odd gets through."""

import json

import pytest

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import (
    PROTOCOL,
    Failed,
    Finished,
    Generate,
    Hello,
    JobCancelled,
    Progress,
    Shutdown,
    Warned,
    decode,
    encode,
)

HELLO = Hello(PROTOCOL, "0.1.0", "3.11.7", "built-in", ("cpu",), ("planner",), ("torch", "transformers"))
GENERATE = Generate("a1", "/music/für Elise.mid", "/out/take.npz", seconds=12.5, seed=3)
LISTEN = Generate(
    "a2", "/a.wav", "/out/a.npz", prior="s2c", checkpoint="/s2c", mano="/MANO_RIGHT.pkl", steps=20, compatibility="reference"
)
TOGETHER = Generate("a3", "/a.mid", "/out/a.npz", recording="/a.flac")
FIXED = Generate("a4", "/a.npz", "/out/a.npz", fixed=((0.5, 60, 0, 3), (12, 48, 1, 5)))
MESSAGES = (
    FIXED,
    HELLO,
    TOGETHER,
    GENERATE,
    LISTEN,
    Shutdown(),
    Progress("a1", "solving", 3, 10),
    Warned("a1", "long-piece", "Long.", "Wait."),
    Finished("a1", "/out/take.npz"),
    JobCancelled("a1"),
    Failed(None, "bad-message", "What?", ""),
)


def changed(message, **values):
    """The message's line with some keys changed; a value of ... takes the key away."""
    plain = json.loads(encode(message)) | values
    return json.dumps({key: value for key, value in plain.items() if value is not ...})


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_comes_back_as_sent_in_one_ascii_line(message):
    line = encode(message)
    assert "\n" not in line and line.isascii()
    assert decode(line) == message
    assert decode(line.encode()) == message


def test_a_name_that_is_no_unicode_survives():
    message = Finished("a1", "/music/\udcff.npz")
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (changed(GENERATE, type="explode"), "explode"),
        (changed(GENERATE, type=...), "None"),
        (changed(GENERATE, type=["generate"]), "generate"),
        (changed(GENERATE, tempo=120), "tempo"),
        (changed(GENERATE, input=...), "input"),
        (changed(GENERATE, input=3), "input"),
        (changed(GENERATE, seed=1.5), "seed"),
        (changed(GENERATE, seed=True), "seed"),
        (changed(GENERATE, fps="60"), "fps"),
        (changed(GENERATE, fps=True), "fps"),
        (changed(GENERATE, fps=None), "fps"),
        (changed(GENERATE, job="../../etc"), "job"),
        (changed(GENERATE, prior="magic"), "prior"),
        (changed(GENERATE, prior=None), "prior"),
        (changed(GENERATE, prior=["s2c"]), "prior"),
        (changed(LISTEN, checkpoint=5), "checkpoint"),
        (changed(LISTEN, mano=True), "mano"),
        (changed(LISTEN, steps=12.5), "steps"),
        (changed(LISTEN, compatibility="some"), "compatibility"),
        (changed(HELLO, devices="cpu"), "devices"),
        (changed(HELLO, devices=[1]), "devices"),
        (changed(GENERATE).replace("60.0", "NaN"), "no JSON"),
        (changed(GENERATE).replace("60.0", "1e999"), "fps"),
        ("{", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        ("[1, 2]", "no JSON object"),
        ("[" * 100_000, "nested"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_it(line, named):
    with pytest.raises(PianoHandsError) as caught:
        decode(line)
    assert caught.value.code == "bad-message"
    assert named in caught.value.message
    assert len(caught.value.message) < 250


def test_nothing_odd_can_be_sent():
    with pytest.raises(PianoHandsError, match="'done'"):
        encode(Progress("a1", "solving", 0.5, 1))  # type: ignore[arg-type]
    with pytest.raises(PianoHandsError, match="'fps'"):
        encode(Generate("a1", "a", "b", fps=float("nan")))


def test_another_protocol_is_said_so_even_when_its_keys_differ():
    with pytest.raises(PianoHandsError) as caught:
        decode(changed(HELLO, protocol=PROTOCOL + 1, colour="blue", level=...))
    assert caught.value.code == "wrong-protocol"
    assert str(PROTOCOL + 1) in caught.value.message
    assert caught.value.hint


def test_leaving_out_what_has_a_default_is_fine():
    assert decode('{"type": "generate", "job": "a", "input": "b", "output": "c"}') == Generate("a", "b", "c")


@pytest.mark.parametrize("fixed", [[[0.5, 60, 0]], [[0.5, 60, 0, 3, 1]], [[0.5, 60.5, 0, 3]], [["a", 60, 0, 3]], [3], 3])
def test_fixed_fingers_of_another_shape_are_refused(fixed):
    with pytest.raises(PianoHandsError, match="fixed"):
        decode(changed(FIXED, fixed=fixed))
