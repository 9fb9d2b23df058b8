# SPDX-License-Identifier: GPL-3.0-or-later
"""What S2C learns from: how hands come to be numbers in its data."""
