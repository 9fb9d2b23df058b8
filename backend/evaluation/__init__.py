# SPDX-License-Identifier: GPL-3.0-or-later
"""How good generated motion is: the published measures, and the same put right. Importing this package imports no torch."""
