# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for panels: text wrapped to a region's width, and durations as people say them."""

import textwrap

import bpy


def wrapped(layout: bpy.types.UILayout, text: str, *, width: int, icon: str = "NONE") -> None:
    """Labels for `text` in lines that fit `width` pixels; the icon stands before the first."""
    scale = bpy.context.preferences.system.ui_scale or 1.0  # 0 without a window
    letters = max(16, int((width - 60 * scale) / (6.6 * scale)))  # the interface font's mean width
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, letters, break_long_words=True, break_on_hyphens=False)):
        column.label(text=line, icon=(icon if number == 0 else "BLANK1") if icon != "NONE" else "NONE", translate=False)


def duration(seconds: float) -> str:
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"{round(seconds, -1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
