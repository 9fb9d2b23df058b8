# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped piece is what its source says, and has what a demonstration needs."""

from io import BytesIO

import mido
import pretty_midi

from s2c_blender.wire.keyboard import LOWEST, Keyboard
from tests.tools.make_demo_piece import LEFT, RIGHT, TARGET, piece, tones


def test_the_file_is_what_its_source_says() -> None:
    fresh = BytesIO()
    piece().save(file=fresh)
    assert TARGET.read_bytes() == fresh.getvalue(), "run python -m tests.tools.make_demo_piece"


def test_it_lasts_half_a_minute_and_uses_both_hands_chords_black_keys_a_repeated_note_and_the_pedal() -> None:
    song = pretty_midi.PrettyMIDI(str(TARGET))
    assert 30.0 < song.get_end_time() < 60.0
    assert [track.name for track in song.instruments] == ["right hand", "left hand"]
    black = Keyboard().black
    for track in song.instruments:
        assert any(black[note.pitch - LOWEST] for note in track.notes)
        onsets = [note.start for note in track.notes]
        assert any(onsets.count(onset) >= 2 for onset in onsets)
        assert any(a.pitch == b.pitch for a, b in zip(track.notes, track.notes[1:], strict=False))
    assert any(change.number == 64 and change.value == 127 for change in song.instruments[1].control_changes)
    assert song.instruments[1].control_changes[-1].value == 0


def test_every_bar_is_full_and_no_key_is_struck_while_it_is_down() -> None:
    for hand in (RIGHT, LEFT):
        assert len(hand) == 18
        down: dict[int, float] = {}
        for tone in tones(hand, softer=0):
            assert tone.begin < tone.end
            assert down.get(tone.pitch, -1.0) < tone.begin
            down[tone.pitch] = tone.end
    assert len({message.tempo for message in mido.MidiFile(TARGET).tracks[0] if message.type == "set_tempo"}) > 5
