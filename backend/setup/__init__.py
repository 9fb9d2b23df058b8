# SPDX-License-Identifier: GPL-3.0-or-later
"""The full level, made and taken away again by one command that the person runs. Standard library only; Blender never runs it."""
