# SPDX-License-Identifier: GPL-3.0-or-later
"""For all tests: BLAS on one thread, as in the backend's process, before anything imports NumPy; and a process that has imported
Blender's module ends at once, for it may hang while it tears itself down."""

import os
import sys

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_code = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_code] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash.get(_code, pytest.ExitCode.INTERNAL_ERROR))
