# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference backend of Piano Hands: a program of its own, started by the add-on as a subprocess."""
