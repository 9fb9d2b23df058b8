# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows, in each state of the backend: drawn onto a layout that writes down what it is given."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from s2c_blender import registration  # noqa: E402
from s2c_blender.jobs import pump  # noqa: E402
from s2c_blender.jobs.job import Job, Phase  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.ui import character as character_panel  # noqa: E402
from s2c_blender.ui import panel, part, prior  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.messages import PROTOCOL, Generate, Hello  # noqa: E402
from tests import character_rigs  # noqa: E402
from tests.character_rigs import Make  # noqa: E402

FULL = Hello(PROTOCOL, "0.1.0", "3.11.7", "full", ("cpu", "cuda"), ("planner", "s2c"))
BARE = Hello(PROTOCOL, "0.1.0", "3.11.7", "built-in", ("cpu",), ("planner",), ("torch",))


class Layout:
    """As bpy.types.UILayout, as far as the panel uses it; layouts within one write down into the same lists."""

    def __init__(self, within=None):
        self.labels = within.labels if within else []
        self.fields = within.fields if within else []
        self.operators = within.operators if within else []

    def row(self, **_):
        return Layout(self)

    column = box = row

    def prop(self, owner, name, **_):
        assert name in owner.bl_rna.properties, name
        self.fields.append(name)

    def label(self, *, text, **_):
        self.labels.append(text)

    def progress(self, *, factor, text):
        self.labels.append(text)

    def operator(self, name, **_):
        assert name.split(".")[1] in dir(getattr(bpy.ops, name.split(".")[0])), name
        self.operators.append(name)
        return SimpleNamespace()

    @property
    def said(self):
        return " ".join(self.labels)


@pytest.fixture
def scene(tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    yield bpy.context.scene
    registration.unregister()


@pytest.fixture
def preferences(monkeypatch):
    """Sets the Python in the preferences and what it has said of itself; nobody is really asked."""
    asked = []
    monkeypatch.setattr(pump, "ask_soon", lambda python, **_: asked.append(python))

    def choose(python, answer):
        monkeypatch.setattr(prior, "chosen_backend", lambda _: python)
        monkeypatch.setattr(pump, "_answers", {python: answer} if answer else {})
        return asked

    return choose


def drawn(scene, *panels):
    layout = Layout()
    context = SimpleNamespace(scene=scene, region=SimpleNamespace(width=4000))
    for kind in panels or (panel.S2C_PT_main, panel.S2C_PT_settings):
        kind.draw(SimpleNamespace(layout=layout), context)
    return layout


def test_without_a_python_of_ones_own_one_sentence_says_what_s2c_needs(scene, preferences):
    asked = preferences(None, None)
    layout = drawn(scene)
    assert layout.fields[0] == "piece" and "style" in layout.fields
    assert not {"prior", "checkpoint", "mano", "steps", "as_published"} & set(layout.fields)
    assert layout.said.count("S2C") == 1 and "name one in the preferences" in layout.said
    assert asked == []


def test_a_backend_with_torch_offers_the_choice_and_s2c_its_fields(scene, preferences):
    asked = preferences(Path("python"), FULL)
    layout = drawn(scene)
    assert layout.fields[:2] == ["piece", "prior"] and "checkpoint" not in layout.fields and "style" in layout.fields
    assert "S2C" not in layout.said and asked
    settings_of(scene).prior = "s2c"
    layout = drawn(scene)
    assert layout.fields[:5] == ["piece", "prior", "checkpoint", "mano", "steps"] and "as_published" in layout.fields
    assert "style" not in layout.fields and "s2c.generate" in layout.operators
    assert {"on_keys", "raw"} <= set(layout.fields)
    assert layout.labels == []


def test_a_backend_without_torch_is_said_to_lack_it_and_can_be_looked_at_again(scene, preferences):
    preferences(Path("python"), BARE)
    layout = drawn(scene)
    assert "prior" not in layout.fields and "lacks torch" in layout.said and "s2c.look_at_python" in layout.operators


def test_a_scene_that_wants_s2c_where_it_cannot_be_had_says_so_and_can_be_changed(scene, preferences):
    settings_of(scene).prior = "s2c"
    for python, answer, words in (
        (None, None, "name one in the preferences"),
        (Path("python"), BARE, "lacks torch"),
        (Path("python"), None, "Asking"),
        (Path("python"), PianoHandsError("no-python", "It is none.", "Choose another."), "It is none. Choose another."),
    ):
        preferences(python, answer)
        layout = drawn(scene)
        assert layout.fields[:2] == ["piece", "prior"] and "checkpoint" not in layout.fields
        assert layout.said.count(words) == 1


@pytest.mark.parametrize(
    ("piece", "chosen", "words"),
    [("a.mid", "s2c", "to the planner"), ("a.MIDI", "s2c", "to the planner")],
)
def test_a_file_for_the_other_prior_is_said_so(scene, preferences, piece, chosen, words):
    preferences(Path("python"), FULL)
    settings = settings_of(scene)
    settings.piece, settings.prior, settings.checkpoint = piece, chosen, "folder"
    assert words in drawn(scene, panel.S2C_PT_main).said
    settings.checkpoint = ""  # the one that ships reads notes
    assert words not in drawn(scene, panel.S2C_PT_main).said
    preferences(Path("python"), replace(FULL, checkpoint=True))  # setup's listens
    assert words in drawn(scene, panel.S2C_PT_main).said


def test_a_recording_says_how_its_notes_can_be_heard_and_notes_may_have_a_recording(scene, preferences):
    preferences(None, None)
    settings_of(scene).piece = "a.wav"
    said = drawn(scene).said
    assert "Hearing the notes" in said and said.count("name one in the preferences") == 1
    preferences(Path("python"), FULL)
    assert "Hearing" not in drawn(scene).said and "recording" not in drawn(scene).fields
    settings_of(scene).piece = "a.mid"
    assert "recording" in drawn(scene).fields


def test_sampling_shows_its_stage_and_a_failure_its_sentence(scene, preferences, monkeypatch):
    preferences(Path("python"), FULL)
    job = Job(Generate("job1", "a.wav", "a.npz", prior="s2c", checkpoint="folder"))
    job.stage, job.fraction = "sampling", 0.5
    monkeypatch.setattr(pump, "_job", job)
    layout = drawn(scene, panel.S2C_PT_main)
    assert "Moving the hands  50%" in layout.labels and "s2c.cancel" in layout.operators
    job.fail(PianoHandsError("bad-checkpoint", "There is no checkpoint.", "Give the folder."))
    assert job.phase is Phase.FAILED
    layout = drawn(scene, panel.S2C_PT_main)
    assert {"There is no checkpoint.", "Give the folder."} <= set(layout.labels) and "s2c.copy_report" in layout.operators


def test_s2c_says_that_it_hears_notes_and_takes_a_recording_beside_a_midi_file(scene, preferences):
    settings = settings_of(scene)
    settings.prior, settings.piece, settings.checkpoint = "s2c", "a.wav", "folder"
    preferences(Path("python"), replace(FULL, missing_to_hear=("transkun",)))
    assert "lacks transkun" in drawn(scene, panel.S2C_PT_main).said
    settings.raw = True
    assert "transkun" not in drawn(scene, panel.S2C_PT_main).said
    settings.raw, settings.piece = False, "a.mid"
    layout = drawn(scene, panel.S2C_PT_main)
    assert "recording" in layout.fields and "to the planner" in layout.said
    settings.recording = "a.wav"
    assert "planner" not in drawn(scene, panel.S2C_PT_main).said


def test_a_part_of_a_take_can_be_named_by_bars_or_seconds(scene, preferences):
    preferences(None, None)
    assert not part.S2C_PT_part.poll(SimpleNamespace(scene=scene))
    scene["s2c_take"] = "a.npz"
    assert part.S2C_PT_part.poll(SimpleNamespace(scene=scene))
    assert drawn(scene, part.S2C_PT_part).fields == ["part_by", "part_first", "part_last", "part_seed"]
    settings_of(scene).part_by = "SECONDS"
    layout = drawn(scene, part.S2C_PT_part)
    assert layout.fields == ["part_by", "part_begin", "part_end", "part_seed"] and layout.operators == ["s2c.make_anew"]


def test_the_preferences_say_what_the_python_can_do(scene, preferences):
    for answer, words in ((FULL, "on cpu, cuda"), (BARE, "lacks torch")):
        preferences(Path("python"), answer)
        layout = Layout()
        prior.draw_state(layout, SimpleNamespace(scene=scene), width=4000)
        assert words in layout.said


def drawn_character(scene):
    layout = Layout()
    character_panel.S2C_PT_character.draw(
        SimpleNamespace(layout=layout), SimpleNamespace(scene=scene, region=SimpleNamespace(width=400))
    )
    return layout


def test_the_character_panel_says_what_was_found_and_what_is_odd(scene):
    layout = drawn_character(scene)
    assert "Choose the armature" in layout.said and "s2c.bake_character" not in layout.operators
    settings = settings_of(scene)
    settings.character = character_rigs.build(Make("unreal4", skinned=False, without=frozenset({"ring3", "ring_tip"})))
    layout = drawn_character(scene)
    assert "Unreal 4 mannequin: 30 bones" in layout.said and "as one piece" in layout.said
    assert {"s2c.bake_character", "s2c.save_map", "s2c.take_off_character"} <= set(layout.operators)
    settings.character_map = "/no/such/map.json"
    assert "no bone map" in drawn_character(scene).said


def test_an_armature_without_hands_is_explained(scene):
    armature = bpy.data.objects.new("Dog", bpy.data.armatures.new("Dog"))
    scene.collection.objects.link(armature)
    settings_of(scene).character = armature
    assert "No hands were found in Dog" in drawn_character(scene).said
