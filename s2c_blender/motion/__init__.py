# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic of hands, without bpy: rotations, skeletons, rigs, resampling."""
