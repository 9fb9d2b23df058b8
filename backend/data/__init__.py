# SPDX-License-Identifier: GPL-3.0-or-later
"""What S2C learns from: PianoMotion10M (Gan et al. 2024, https://arxiv.org/abs/2406.09326) in its published folders. No torch."""
