# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as video with sound, drawn by the processor: quicker to look at than a Blender scene, and in need of nothing but PyAV."""
