# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion filmed by an unknown camera is found again on the keyboard, by notes of which some are wrong or missing."""

from dataclasses import replace

import numpy as np
import pytest

from backend.data.camera_model import CameraModel
from backend.perform import Settings, perform
from backend.perform.hands_split import assign_hands
from backend.perform.likeness import likeness
from backend.perform.motion import Motion
from backend.perform.registration import in_words, lay_out, register, seen_fingers
from s2c_blender.motion.contact_body import closest_to_board
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.resample import places_at
from s2c_blender.motion.skeleton import pad_points
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import BALANCE_Y, LET_OFF, LOWEST, STANDARD_OCTAVE, Keyboard
from s2c_blender.wire.notes import NoteEvent, Score
from tests.filmed import as_s2c, misheard

SKELETON = hand_skeleton(load_hand_rig())
CAMERAS = (
    CameraModel(offset=(STANDARD_OCTAVE, 0.05), scale=0.9),
    CameraModel(offset=(-STANDARD_OCTAVE, -0.05), scale=1.1),
    CameraModel(offset=(0.03, 0.0), scale=1.0, distance=20.0),
)


def walk(start: int, step: float, count: int, hand: HandSide, seed: int) -> list[NoteEvent]:
    """A line of white keys that wanders."""
    random = np.random.default_rng(seed)
    white = [pitch for pitch in range(30, 100) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]
    place = white.index(start) + np.clip(np.cumsum(random.integers(-2, 3, count)), -9, 9)
    return [NoteEvent(k * step, (k + 0.8) * step, white[at], 70, hand) for k, at in enumerate(place)]


@pytest.fixture(scope="module")
def played() -> Clip:
    notes = walk(72, 0.3, 36, HandSide.RIGHT, 0) + walk(52, 0.4, 27, HandSide.LEFT, 1)
    return perform(Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch)))), Settings(seed=3, style=0.8))


@pytest.mark.parametrize("number", range(len(CAMERAS)))
def test_shift_scale_and_depth_are_found_though_notes_are_wrong_or_missing(played: Clip, number: int) -> None:
    camera = CAMERAS[number]
    raw, heard = as_s2c(played, camera, seed=number), misheard(played.score, seed=number)
    motion = Motion(raw, SKELETON)
    fits = register(motion, heard, assign_hands(heard), Keyboard())
    times = np.arange(0.0, 10.5, 0.1)
    true, seen = places_at(played.translation, (times - played.start) * played.rate), motion.wrists(times)
    for side in HandSide:
        fit = fits[side]
        assert fit.trusted and fit.confidence > 0.6
        assert fit.scale * camera.scale == pytest.approx(1.0, abs=0.05)
        off = fit.apply(seen[:, side, :2]) - true[:, side, :2]
        # Well within half a key sideways; in depth as exactly as fingers choose where on a key they play.
        assert (np.abs(np.median(off, axis=0)) < [0.008, 0.013]).all() and (np.abs(off).max(axis=0) < [0.015, 0.02]).all()


def test_notes_of_another_piece_are_not_believed_and_the_person_is_told(played: Clip) -> None:
    notes = walk(72, 0.37, 38, HandSide.RIGHT, 7) + walk(52, 0.29, 48, HandSide.LEFT, 8)
    other = Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))
    motion = Motion(as_s2c(played, CAMERAS[2]), SKELETON)
    laid = lay_out(motion, other, assign_hands(other), Keyboard())
    assert not any(fit.trusted for fit in laid.fits) and not laid.seen.any()
    words = in_words(laid.made(1.0)["registration"])
    assert "Neither" in words and "planner" in words and "%" in words
    fits = register(motion, played.score, played.fingering.hand, Keyboard())
    assert in_words(replace(laid, fits=fits).made(1.0)["registration"]) == ""


def test_a_hand_with_few_notes_is_laid_down_as_the_other_one(played: Clip) -> None:
    few = [k for k, note in enumerate(played.score.notes) if note.hand is HandSide.RIGHT or note.onset < 1.5]
    score = replace(played.score, notes=tuple(played.score.notes[k] for k in few))
    motion = Motion(as_s2c(played, CAMERAS[0]), SKELETON)
    fits = register(motion, score, played.fingering.hand[few], Keyboard())
    assert fits[HandSide.LEFT].notes < 6 and fits[HandSide.LEFT].trusted
    times = np.arange(0.0, 10.5, 0.1)
    true = places_at(played.translation, (times - played.start) * played.rate)[:, HandSide.LEFT, :2]
    off = fits[HandSide.LEFT].apply(motion.wrists(times)[:, HandSide.LEFT, :2]) - true
    assert np.abs(np.median(off, axis=0)).max() < 0.012


def test_the_finger_that_struck_is_seen_and_for_a_wrong_note_none(played: Clip) -> None:
    motion = Motion(as_s2c(played, CAMERAS[1]), SKELETON)
    hand = played.fingering.hand
    fits = register(motion, played.score, hand, Keyboard())
    seen = seen_fingers(motion, played.score, fits, Keyboard())[np.arange(len(hand)), hand]
    assert np.mean(seen.argmax(axis=1) + 1 == played.fingering.finger) > 0.95
    assert np.median(seen.max(axis=1)) > 0.8
    wrong = replace(played.score, notes=tuple(replace(note, pitch=note.pitch - 12) for note in played.score.notes))
    assert np.median(seen_fingers(motion, wrong, fits, Keyboard())[np.arange(len(hand)), hand].max(axis=1)) < 0.15


def test_notes_that_were_given_to_the_wrong_hand_go_to_the_one_that_is_seen_to_strike(played: Clip) -> None:
    true = played.fingering.hand
    mixed = true.copy()
    swapped = np.arange(3, len(true), 9)
    mixed[swapped] = 1 - mixed[swapped]
    free = replace(played.score, notes=tuple(replace(note, hand=None) for note in played.score.notes))
    motion = Motion(as_s2c(played, CAMERAS[0]), SKELETON)
    assert np.mean(lay_out(motion, free, mixed, Keyboard()).hand[swapped] == true[swapped]) > 0.8
    np.testing.assert_array_equal(lay_out(motion, free, true, Keyboard()).hand, true)
    np.testing.assert_array_equal(lay_out(motion, played.score, mixed, Keyboard()).hand, mixed)  # the file says so


def test_fingers_of_the_motion_are_kept_and_fingers_that_the_person_fixed_go_first(played: Clip) -> None:
    """The performance has unusual fingers, which the programme alone would not choose."""
    usual = played.fingering.finger
    odd = tuple(replace(note, finger=int(5 if f == 4 else f)) for note, f in zip(played.score.notes, usual, strict=True))
    performed = perform(replace(played.score, notes=odd))
    raw = as_s2c(performed, CAMERAS[2])
    plain = perform(played.score, prior=raw)
    asked, got = performed.fingering.finger, plain.fingering.finger
    changed = asked != usual
    assert changed.any() and np.mean(got[changed] == asked[changed]) > 0.7 and np.mean(got == asked) > 0.9
    first = int(np.flatnonzero(played.fingering.hand == HandSide.RIGHT)[10])
    fixed = tuple(replace(note, finger=2) if k == first else note for k, note in enumerate(played.score.notes))
    assert perform(replace(played.score, notes=fixed), prior=raw).fingering.finger[first] == 2


def test_solved_near_the_motion_fingers_are_on_their_keys_and_the_motion_is_kept(played: Clip) -> None:
    raw = as_s2c(played, CAMERAS[0])
    before, after = perform(played.score, Settings(on_keys=0.0), prior=raw), perform(played.score, prior=raw)
    like = likeness(before, after, SKELETON)
    assert like.idle < 6.0 and like.joints < 6.0
    assert like.wrist_speed > 0.9 and like.finger_speed > 0.7
    assert "degrees" in like.in_words()
    loose, tight = (np.quantile(np.abs(reached(clip)), 0.95) for clip in (before, after))
    assert tight < 0.002 and tight < 0.5 * loose


def test_a_hand_that_was_seen_too_far_in_for_a_while_plays_where_keys_are_and_not_in_the_fallboard(played: Clip) -> None:
    raw = as_s2c(played, CAMERAS[2])
    while_in = np.exp(-0.5 * ((raw.times - 5.0) / 0.8) ** 2)
    places = raw.translation.copy()
    places[:, HandSide.RIGHT, 1] += (0.08 * while_in).astype(np.float32)
    as_seen, far_in = (perform(played.score, prior=seen) for seen in (raw, replace(raw, translation=places)))
    inside = (as_seen.times > 0.1) & (as_seen.times < 10.0)
    further = (far_in.translation - as_seen.translation)[inside, HandSide.RIGHT, 1]
    assert further.max() < 0.04
    skin = pad_points(SKELETON, far_in.rotation[inside].astype(float), far_in.translation[inside].astype(float))
    assert closest_to_board(skin.reshape(len(skin), -1, 3), as_seen.times[inside]).distance > -0.001


def reached(clip: Clip) -> np.ndarray:
    """(N,) how far the finger of each note is from the bottom of its key's let-off at the strike, metres, downwards negative."""
    keyboard, fingering = Keyboard(), clip.fingering
    times = fingering.strike
    rotations = clip.rotation[np.rint((times - clip.start) * clip.rate).astype(int)]
    places = clip.translation[np.rint((times - clip.start) * clip.rate).astype(int)]
    pads = pad_points(SKELETON, rotations.astype(float), places.astype(float))
    own = pads[np.arange(len(times)), fingering.hand, fingering.finger - 1]
    lowest = own[np.arange(len(own)), own[..., 2].argmin(axis=-1)]
    key = np.array([note.pitch - LOWEST for note in clip.score.notes])
    travel = keyboard.dip[key] * (BALANCE_Y - lowest[:, 1]) / (BALANCE_Y - keyboard.front[key])
    return lowest[:, 2] - (keyboard.top[key] - LET_OFF * travel)


def test_the_slider_goes_from_exactly_as_generated_to_on_the_keys(played: Clip) -> None:
    raw = as_s2c(played, CAMERAS[2])
    loose, half, tight = (perform(played.score, Settings(on_keys=share), prior=raw) for share in (0.0, 0.5, 1.0))
    inside = (loose.times > 0.1) & (loose.times < min(raw.times[-1], played.score.duration) - 0.5)
    frames = np.flatnonzero(inside)
    same = np.abs(np.sum(loose.rotation[frames].astype(float) * raw.rotation[frames], axis=-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)  # the very joints that were generated
    errors = [np.median(np.abs(reached(clip))) for clip in (loose, half, tight)]
    assert errors[0] > errors[1] > errors[2]
    assert [clip.made["on_keys"] for clip in (loose, half, tight)] == [0.0, 0.5, 1.0]
