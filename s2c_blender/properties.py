# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person chooses for a take: one property group on the scene, read through `settings_of` alone.

The state of a running job is no property: undo and saved files would carry it along.
"""

import bpy

from .wire.keyboard import STANDARD_OCTAVE
from .wire.messages import DEFAULT_STEPS, MOST_STEPS

_NAME = "piano_hands"
_BESIDE_THE_FILE = {"PATH_SUPPORTS_BLEND_RELATIVE"}  # "//music.wav" is meant


def _may_play(_: bpy.types.PropertyGroup, ob: bpy.types.Object) -> bool:
    return ob.type == "ARMATURE" and not ob.get("s2c_made")


class S2C_PG_note(bpy.types.PropertyGroup):
    """A note of the take: who plays it, and who the person wants to."""

    time: bpy.props.StringProperty(description="Onset in seconds, in full")  # a float property would round it
    onset: bpy.props.FloatProperty(name="Onset", description="Seconds from the beginning of the piece")
    pitch: bpy.props.IntProperty(name="Pitch", description="MIDI")
    played_hand: bpy.props.IntProperty(description="0 right, 1 left")
    played_finger: bpy.props.IntProperty()
    fixed: bpy.props.BoolProperty(name="Fixed", description="Chosen by you, and kept when the piece is generated again")
    hand: bpy.props.EnumProperty(
        name="Hand", description="Who is to play the note", items=(("LEFT", "L", "Left hand"), ("RIGHT", "R", "Right hand"))
    )
    finger: bpy.props.IntProperty(name="Finger", description="From 1, the thumb, to 5", default=1, min=1, max=5)


class S2C_PG_settings(bpy.types.PropertyGroup):
    """Lengths in centimetres, as pianists measure their hands."""

    piece: bpy.props.StringProperty(
        name="Piece",
        description="MIDI file (.mid) to be played, or a recording: WAV, FLAC, MP3, OGG, M4A, or the sound of an MP4 or MOV",
        subtype="FILE_PATH",
        options={"LIBRARY_EDITABLE", *_BESIDE_THE_FILE},
    )
    recording: bpy.props.StringProperty(
        name="Recording",
        description="Sound of the MIDI file's piece. The notes are put where the recording has them, and it is what is heard",
        subtype="FILE_PATH",
        options=_BESIDE_THE_FILE,
    )
    prior: bpy.props.EnumProperty(
        name="Motion",
        description="Where the hands' motion comes from",
        items=(
            (
                "planner",
                "Planner",
                "Fingers and motion worked out from notes: of a MIDI file, or heard in a recording",
            ),
            (
                "s2c",
                "S2C",
                "A diffusion model that listens to a recording; its hands are put on the keys of the notes that sound",
            ),
        ),
    )
    checkpoint: bpy.props.StringProperty(
        name="Checkpoint",
        description="S2C's numbers: the folder that import-checkpoint wrote",
        subtype="DIR_PATH",
        options=_BESIDE_THE_FILE,
    )
    mano: bpy.props.StringProperty(
        name="MANO (optional)",
        description="Your own MANO_RIGHT.pkl, if you have a licence for it: S2C's poses are meant relative to its mean pose. "
        "Not needed: without it they build on a relaxed pose of our own hand",
        subtype="FILE_PATH",
        options=_BESIDE_THE_FILE,
    )
    steps: bpy.props.IntProperty(
        name="Steps",
        description="Steps of S2C's sampling: each costs as much as any other",
        default=DEFAULT_STEPS,
        min=1,
        max=MOST_STEPS,
        soft_max=50,
    )
    on_keys: bpy.props.FloatProperty(
        name="On the Keys",
        description="From exactly as generated (0), with the hands only put over the keyboard, to fingers on their keys (1)",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    raw: bpy.props.BoolProperty(
        name="Raw",
        description="The take as S2C gives it: notes are not looked for, the keys stay at rest, and where the keyboard was is not "
        "known. To be looked at beside the take on the keys",
    )
    part_by: bpy.props.EnumProperty(
        name="Part",
        description="How the part of the take is named",
        items=(("BARS", "Bars", "Bars of the MIDI file, counted from 1"), ("SECONDS", "Seconds", "Seconds from the music's start")),
    )
    part_first: bpy.props.IntProperty(name="From Bar", description="First bar to be made anew", default=1, min=1)
    part_last: bpy.props.IntProperty(name="To Bar", description="Last bar to be made anew", default=4, min=1)
    part_begin: bpy.props.FloatProperty(name="From", description="Seconds", default=0.0, min=0.0, subtype="TIME_ABSOLUTE")
    part_end: bpy.props.FloatProperty(name="To", description="Seconds", default=8.0, min=0.0, subtype="TIME_ABSOLUTE")
    part_seed: bpy.props.IntProperty(
        name="Seed", description="Another number gives these bars another performance", default=1, min=0, max=2**31 - 1
    )
    draft: bpy.props.BoolProperty(
        name="Draft", description="Hear the recording's notes in a hurry: for a first look, with more mistakes and without pedal"
    )
    as_published: bpy.props.BoolProperty(
        name="As Published", description="Do what the published S2C scripts do, their slips included: only to compare"
    )
    folder: bpy.props.StringProperty(
        name="Folder",
        description="Where the take and its sound go. Empty: beside the saved .blend file, else in the extension's own folder",
        subtype="DIR_PATH",
        options=_BESIDE_THE_FILE,
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Another number gives another performance of the same piece", min=0, max=2**31 - 1
    )
    style: bpy.props.FloatProperty(
        name="Liveliness", description="From calm (0) to lively (1) motion", default=0.5, min=0.0, max=1.0, subtype="FACTOR"
    )
    hand_size: bpy.props.FloatProperty(
        name="Hand Span (cm)",
        description="From the tip of the thumb to the tip of the little finger, hand stretched. Small 18, large 24",
        default=22.0,
        min=14.0,
        max=30.0,
        soft_min=17.0,
        soft_max=26.0,
        step=50,
        precision=1,
    )
    octave: bpy.props.FloatProperty(
        name="Octave (cm)",
        description="Width of seven white keys. Concert pianos have 16.45, narrow keyboards 15.2 or 14.0",
        default=100 * STANDARD_OCTAVE,
        min=12.0,
        max=20.0,
        soft_min=14.0,
        soft_max=16.5,
        step=10,
        precision=2,
    )
    limit: bpy.props.BoolProperty(name="Only the First", description="Take only the beginning of the piece")
    seconds: bpy.props.FloatProperty(
        name="Seconds",
        description="How much of the piece, from its start",
        default=30.0,
        min=1.0,
        max=100000.0,
        precision=1,
        subtype="TIME_ABSOLUTE",
    )

    character: bpy.props.PointerProperty(
        name="Character",
        description="Armature of your own character, whose hands are to play the take",
        type=bpy.types.Object,
        poll=_may_play,
    )
    character_map: bpy.props.StringProperty(
        name="Bone Map",
        description="A map of its bones (JSON), where its names and its shape do not tell. Empty: found by itself",
        subtype="FILE_PATH",
        options=_BESIDE_THE_FILE,
    )
    character_way: bpy.props.EnumProperty(
        name="Way",
        description="How the take comes onto the character",
        items=(
            ("solve", "Solve", "Solve the take anew on the character's own fingers: they land on the keys"),
            ("fast", "Copy", "Copy rotations: at once, but fingers of other proportions miss keys"),
        ),
    )
    character_seated: bpy.props.BoolProperty(
        name="Seat at the Piano",
        description="Place the character at the piano, fit the bench to it, and let torso and legs sit where nothing animates them",
        default=True,
    )
    character_error: bpy.props.FloatProperty(
        name="Thin Out (mm)",
        description="Leave keys out as long as fingertips in the air move by less than this; on piano keys nothing moves. "
        "0 sets a key at every frame",
        default=0.0,
        min=0.0,
        max=20.0,
        precision=1,
    )

    notes: bpy.props.CollectionProperty(type=S2C_PG_note)
    note: bpy.props.IntProperty(name="Note", description="The chosen one in the list")
    notes_near: bpy.props.BoolProperty(
        name="Near the Current Frame",
        description="List what is played from 2 seconds before the current frame to 6 after it, or in the preview range",
        default=True,
    )
    speed: bpy.props.FloatProperty(
        name="Speed",
        description="How fast the take is to play, against what it does now",
        default=100.0,
        min=10.0,
        max=400.0,
        soft_min=50.0,
        soft_max=200.0,
        subtype="PERCENTAGE",
    )
    export_piano: bpy.props.BoolProperty(name="With the Piano", description="Write the piano and its moving keys, too")
    keep_fingers: bpy.props.BoolProperty(
        name="Keep My Fingers",
        description="When the same piece is generated again, the fingers that you chose stay",
        default=True,
    )


def settings_of(scene: bpy.types.Scene) -> S2C_PG_settings:
    """The one way to the settings of a scene."""
    return getattr(scene, _NAME)


def attach() -> None:
    setattr(bpy.types.Scene, _NAME, bpy.props.PointerProperty(type=S2C_PG_settings))


def detach() -> None:
    delattr(bpy.types.Scene, _NAME)
