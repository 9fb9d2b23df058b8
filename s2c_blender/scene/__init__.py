# SPDX-License-Identifier: GPL-3.0-or-later
"""What a take is made of in a Blender scene: hands, piano, light, sound, cameras, and how well they meet."""
