# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading MIDI: times over the tempo map, hands, pedal, and every kind of bad file."""

import struct
from pathlib import Path

import mido
import numpy as np
import pytest

from backend.score import SHORTEST_NOTE, merge_hands, read_midi
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide

PIECES = Path(__file__).resolve().parents[3] / "shared" / "midi"
TICKS = 480


def track(*events, name: str = "") -> mido.MidiTrack:
    """A track of (absolute tick, kind, data...) events."""
    result = mido.MidiTrack()
    if name:
        result.append(mido.MetaMessage("track_name", name=name))
    now = 0
    for tick, kind, *data in sorted(events, key=lambda event: event[0]):
        wait, now = tick - now, tick
        if kind == "tempo":
            result.append(mido.MetaMessage("set_tempo", tempo=data[0], time=wait))
        elif kind == "pedal":
            result.append(mido.Message("control_change", control=64, value=data[0], channel=(data[1:] or [0])[0], time=wait))
        else:
            pitch, velocity, channel = data[0], (data[1:] or [64])[0], (data[2:] or [0])[0]
            result.append(mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=wait))
    return result


def note(start: int, end: int, pitch: int, channel: int = 0) -> list[tuple]:
    return [(start, "note_on", pitch, 64, channel), (end, "note_off", pitch, 64, channel)]


def write(path: Path, *tracks: mido.MidiTrack, kind: int = 1, ticks: int = TICKS) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    file.tracks.extend(tracks)
    file.save(path)
    return path


def test_tempo_changes_of_any_track_count(tmp_path):
    tempo = track((480, "tempo", 1_000_000), (960, "tempo", 250_000))
    more = track((1440, "tempo", 500_000), *note(0, 480, 60), *note(960, 1440, 62), *note(1920, 2400, 64))
    score = read_midi(write(tmp_path / "a.mid", tempo, more))
    assert [n.onset for n in score.notes] == pytest.approx([0.0, 1.5, 2.25])
    assert [n.offset for n in score.notes] == pytest.approx([0.5, 1.75, 2.75])
    assert score.duration == pytest.approx(2.75)


def test_bars_follow_time_signatures_and_tempo(tmp_path):
    signs = track((480 * 8, "tempo", 1_000_000))
    signs.insert(0, mido.MetaMessage("time_signature", numerator=3, denominator=4))
    late = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=6, denominator=8, time=480 * 6)])
    score = read_midi(write(tmp_path / "a.mid", signs, late, track(*note(0, 480 * 11, 60))))
    # Two bars of 3/4, then 6/8, in whose first bar the beats become twice as long.
    assert score.bars == pytest.approx([0.0, 1.5, 3.0, 5.0])
    assert score.between_bars(2, 3) == pytest.approx((1.5, 5.0)) and score.between_bars(4, 4)[1] == pytest.approx(score.duration)
    for first, last in ((0, 2), (3, 2), (4, 5)):
        with pytest.raises(PianoHandsError, match="bars 1 to 4"):
            score.between_bars(first, last)
    plain = read_midi(write(tmp_path / "b.mid", track(*note(0, 480 * 9, 60))))
    assert plain.bars == pytest.approx([0.0, 2.0, 4.0])  # 4/4 where nothing is said


def test_smpte_division_ignores_the_tempo(tmp_path):
    path = write(tmp_path / "a.mid", track((0, "tempo", 123_456), *note(0, 1000, 60)), kind=0)
    data = bytearray(path.read_bytes())
    data[12:14] = struct.pack(">bB", -25, 40)  # 25 frames of 40 ticks: a millisecond a tick
    path.write_bytes(data)
    assert read_midi(path).notes[0].offset == pytest.approx(1.0)


def test_velocity_zero_ends_a_note(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track((0, "note_on", 60, 90), (480, "note_on", 60, 0)), kind=0))
    assert (score.notes[0].offset, score.notes[0].velocity) == (pytest.approx(0.5), 90)


def test_overlapping_notes_of_one_key_end_in_the_order_they_began(tmp_path):
    events = track(*note(0, 600, 60), *note(480, 960, 60))
    score = read_midi(write(tmp_path / "a.mid", events, kind=0))
    assert [(n.onset, n.offset) for n in score.notes] == [(0.0, pytest.approx(0.625)), (pytest.approx(0.5), pytest.approx(1.0))]


def test_notes_without_length_are_given_one(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track(*note(480, 480, 60)), kind=0))
    assert score.notes[0].offset - score.notes[0].onset == pytest.approx(SHORTEST_NOTE)


def test_a_note_that_never_ends_is_let_go_in_the_end(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track((0, "note_on", 60, 64), *note(0, 1920, 48)), kind=0))
    assert [n.offset for n in score.notes] == pytest.approx([2.0, 2.0])


def test_pedal_of_all_channels_is_one_pedal(tmp_path):
    one = track((0, "pedal", 127, 0), (480, "pedal", 0, 0), *note(0, 960, 60))
    two = track((240, "pedal", 127, 1), (720, "pedal", 0, 1))
    pedal = read_midi(write(tmp_path / "a.mid", one, two)).pedal
    assert [(p.time, p.value) for p in pedal] == [(0.0, 127), (pytest.approx(0.75), 0)]


def test_notes_off_the_keyboard_are_named_and_left_out(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track(*note(0, 480, 20), *note(480, 960, 109), *note(960, 1440, 60)), kind=0))
    assert [n.pitch for n in score.notes] == [60]
    assert "G#0 at 0.00 s" in score.left_out[0] and "C#8 at 0.50 s" in score.left_out[0]


def test_drums_are_left_out_and_said(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track(*note(0, 480, 60), *note(0, 480, 36, 9)), kind=0))
    assert [n.pitch for n in score.notes] == [60] and "drum" in score.left_out[0]


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        ("Klavier rechte Hand", "Klavier linke Hand"),
        ("Piano RH", "Piano LH"),
        ("m.d.", "m.s."),
        ("upper:", "lower:"),
        ("Treble", "Bass"),
        ("main droite", "main gauche"),
        ("Rechts 11", "Links 11"),
        ("右手", "左手"),
        ("", "left"),
        ("", ""),
    ],
)
def test_two_tracks_are_two_hands(tmp_path, upper, lower):
    # UTF-8 bytes, as most writers put them there
    names = [name.encode("utf-8").decode("latin-1") for name in (upper, lower)]
    low = track(*note(0, 480, 40), name=names[1])
    high = track(*note(0, 480, 70), name=names[0])
    score = read_midi(write(tmp_path / "a.mid", low, high))
    assert [n.hand for n in score.notes] == [HandSide.LEFT, HandSide.RIGHT]
    assert [n.hand for n in merge_hands(score).notes] == [None, None]


def test_names_win_over_pitch(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track(*note(0, 480, 40), name="right"), track(*note(0, 480, 70), name="left")))
    assert [n.hand for n in score.notes] == [HandSide.RIGHT, HandSide.LEFT]


def test_two_channels_of_one_track_are_two_hands(tmp_path):
    score = read_midi(write(tmp_path / "a.mid", track(*note(0, 480, 40, 1), *note(0, 480, 70, 0)), kind=0))
    assert [n.hand for n in score.notes] == [HandSide.LEFT, HandSide.RIGHT]


def test_one_track_or_three_say_nothing_of_hands(tmp_path):
    one = read_midi(write(tmp_path / "a.mid", track(*note(0, 480, 40), *note(0, 480, 70)), kind=0))
    three = read_midi(write(tmp_path / "b.mid", *(track(*note(0, 480, pitch)) for pitch in (40, 60, 80))))
    named = read_midi(
        write(tmp_path / "c.mid", *(track(*note(0, 480, p), name=w) for p, w in ((40, "left"), (60, "choir"), (80, "right"))))
    )
    assert {n.hand for n in (*one.notes, *three.notes)} == {None}
    assert [n.hand for n in named.notes] == [HandSide.LEFT, None, HandSide.RIGHT]


def test_riff_wrapping_is_taken_off(tmp_path):
    inner = write(tmp_path / "a.mid", track(*note(0, 480, 60)), kind=0).read_bytes()
    body = b"RMID" + b"data" + struct.pack("<I", len(inner)) + inner
    path = tmp_path / "b.rmi"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert read_midi(path).notes[0].pitch == 60


def _bad(tmp_path: Path, case: str) -> Path:
    path = tmp_path / "bad.mid"
    good = write(path, track(*note(0, 480, 60), *note(480, 960, 64)), kind=0).read_bytes()
    if case == "no-file":
        return tmp_path / "nothing.mid"
    if case == "unreadable":
        return tmp_path
    data = {
        "not-midi": b"ID3\x04 an mp3",
        "truncated": good[: len(good) - 9],
        "damaged": good[:14] + b"JUNK" + good[18:],
        "bad-tempo": good[:12] + b"\x00\x00" + good[14:],
    }.get(case)
    if data is not None:
        path.write_bytes(data)
    elif case == "format-2":
        write(path, track(*note(0, 480, 60)), kind=2)
    elif case == "too-long":
        write(path, track((0, "tempo", 16_777_215), *note(0, 480 * 10_000, 60)), kind=0)
    else:
        write(path, track((0, "tempo", 500_000)), kind=0)
    return path


@pytest.mark.parametrize(
    "case",
    ["no-file", "unreadable", "not-midi", "truncated", "damaged", "format-2", "bad-tempo", "too-long", "no-notes"],
)
def test_bad_files_are_refused_with_a_hint(tmp_path, case):
    with pytest.raises(PianoHandsError) as caught:
        read_midi(_bad(tmp_path, case))
    assert caught.value.code == case
    assert caught.value.message and caught.value.hint


def test_every_cut_of_a_file_is_an_error_of_ours(tmp_path):
    whole = write(tmp_path / "a.mid", track(*note(0, 480, 60), *note(480, 960, 64)), kind=0).read_bytes()
    path = tmp_path / "cut.mid"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(PianoHandsError):
            read_midi(path)


def test_a_tempo_of_zero_is_refused(tmp_path):
    with pytest.raises(PianoHandsError) as caught:
        read_midi(write(tmp_path / "a.mid", track((0, "tempo", 0), *note(0, 480, 60)), kind=0))
    assert caught.value.code == "bad-tempo"


def test_an_impossible_key_signature_does_not_matter(tmp_path):
    path = write(tmp_path / "a.mid", track(*note(0, 480, 60)), kind=0)
    data = path.read_bytes()
    size = struct.unpack(">I", data[18:22])[0]
    path.write_bytes(data[:18] + struct.pack(">I", size + 6) + b"\x00\xff\x59\x02\x63\x07" + data[22:])
    assert len(read_midi(path).notes) == 1


@pytest.mark.skipif(not PIECES.is_dir(), reason="no folder of pieces beside the project")
def test_onsets_agree_with_pretty_midi():
    pretty_midi = pytest.importorskip("pretty_midi")
    for path in sorted(PIECES.glob("*.mid"))[::5]:
        theirs = sorted((n.start, n.pitch) for part in pretty_midi.PrettyMIDI(str(path)).instruments for n in part.notes)
        ours = [(n.onset, n.pitch) for n in read_midi(path).notes]
        assert len(ours) == len(theirs)
        assert np.abs(np.array(ours) - np.array(theirs)).max() < 1e-6
