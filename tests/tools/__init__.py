# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that make what the repository ships; not part of the extension."""
