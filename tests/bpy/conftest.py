# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that tests of several files begin with."""

import pytest


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A .blend file with a take of 24 notes, 14 s long."""
    from tests import kept_scenes

    folder = tmp_path_factory.mktemp("generated")
    return kept_scenes.keep(folder / "generated.blend", lambda scene: kept_scenes.generate(scene, folder, notes=24))


@pytest.fixture
def scene(generated):
    """Its scene, opened anew; for files of tests that make no other."""
    from tests import kept_scenes

    with kept_scenes.opened(generated) as scene:
        yield scene
