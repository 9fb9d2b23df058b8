# SPDX-License-Identifier: GPL-3.0-or-later
"""S2C, the dual-stream diffusion model of two hands (Liu et al., ACM MM 2025): networks, schedules, samplers, checkpoints.

Importing this package imports no torch; its modules do.
"""
