# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on and the backend say to each other, and the figures they share. Standard library and NumPy only."""
