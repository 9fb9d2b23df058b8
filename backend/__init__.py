# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference backend of Piano Hands: a program of its own, started by the add-on as a subprocess."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said in words to whom it concerns, before anything newer is read
    raise SystemExit("error: Piano Hands needs Python 3.11 or newer.\n  Blender brings one: start it with that.")
