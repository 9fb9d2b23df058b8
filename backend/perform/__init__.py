# SPDX-License-Identifier: GPL-3.0-or-later
"""From notes to motion: fingering, a motion prior, the solve. NumPy and the standard library only."""
