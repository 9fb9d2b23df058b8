# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend fingering`: its table, its JSON, its errors."""

import json

import mido
import pytest

from backend.__main__ import main


@pytest.fixture
def piece(tmp_path):
    """A scale in the right hand over octaves in the left; the last chord has a note too many."""
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    right, left = mido.MidiTrack(), mido.MidiTrack()
    right.append(mido.MetaMessage("track_name", name="right"))
    for pitch in (60, 62, 64, 65, 67, 69, 71, 72):
        right += [mido.Message("note_on", note=pitch, velocity=70), mido.Message("note_off", note=pitch, time=240)]
    for pitch in (36, 48, 36, 48):
        left += [mido.Message("note_on", note=pitch, velocity=70), mido.Message("note_off", note=pitch, time=480)]
    chord = (72, 74, 76, 77, 79, 81)
    right += [mido.Message("note_on", note=pitch, velocity=70) for pitch in chord]
    right += [mido.Message("note_off", note=pitch, time=480 * (pitch == 72)) for pitch in chord]
    file.tracks += [right, left]
    path = tmp_path / "piece.mid"
    file.save(path)
    return path


def test_the_table_names_every_note_and_what_is_not_played(piece, capsys):
    assert main(["fingering", str(piece)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("right" in line for line in lines) == 14 and sum("left" in line for line in lines) == 4
    assert lines[-1].startswith("! ") and "at 2.00 s" in lines[-1]


def test_the_json_has_a_hand_and_a_finger_for_every_note(piece, tmp_path):
    out = tmp_path / "out.json"
    assert main(["fingering", str(piece), "-o", str(out)]) == 0
    records = json.loads(out.read_text(encoding="utf-8"))
    assert len(records) == 18
    assert all(set(record) == {"onset", "offset", "pitch", "hand", "finger"} for record in records)
    assert all(record["hand"] in ("right", "left") and record["finger"] in (1, 2, 3, 4, 5) for record in records)
    scale = [r["finger"] for r in records if r["hand"] == "right" and r["onset"] < 2]
    assert scale == [1, 2, 3, 1, 2, 3, 4, 5]
    assert records[0]["onset"] == 0.0 and records[0]["offset"] == pytest.approx(0.5)


def test_merged_tracks_forget_the_hands(piece, tmp_path):
    out = tmp_path / "out.json"
    assert main(["fingering", str(piece), "--merge-tracks", "-o", str(out)]) == 0
    hands = {(r["pitch"], r["hand"]) for r in json.loads(out.read_text(encoding="utf-8"))}
    assert {(36, "left"), (72, "right")} <= hands


def test_errors_say_what_to_do(tmp_path, piece, capsys):
    assert main(["fingering", str(tmp_path / "nothing.mid")]) == 1
    assert main(["fingering", str(piece), "--hand-size", "3"]) == 1
    assert main(["fingering", str(piece), "-o", str(tmp_path / "no" / "folder.json")]) == 1
    assert capsys.readouterr().err.count("error:") == 3
