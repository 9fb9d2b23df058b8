# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces moved to other keys and tempi for the benchmark."""

import pretty_midi
import pytest

from tests.bench.moved_pieces import moved


def test_notes_and_pedal_move_together_and_what_leaves_the_keyboard_is_left_out() -> None:
    piece = pretty_midi.PrettyMIDI()
    hand = pretty_midi.Instrument(0, name="right")
    hand.notes = [pretty_midi.Note(64, 60, 1.0, 2.0), pretty_midi.Note(64, 107, 2.0, 3.0)]
    hand.control_changes = [pretty_midi.ControlChange(64, 127, 1.5)]
    piece.instruments = [hand]
    result = moved(piece, 3, 1.1).instruments[0]
    assert [(note.pitch, note.start, note.end) for note in result.notes] == [(63, pytest.approx(1.1), pytest.approx(2.2))]
    assert result.control_changes[0].time == pytest.approx(1.65)
    assert result.name == "right"
