# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as seen from Blender: its process, its messages, the job that runs. Only pump imports bpy."""
