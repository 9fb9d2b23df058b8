# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound in and out: audio files, transcription, synthesis."""
