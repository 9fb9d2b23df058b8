# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks on everything that a take brings into a file, so that it can be found, replaced and taken away again."""

from typing import TypeVar

import bpy

MARK = "s2c_made"

Block = TypeVar("Block", bound=bpy.types.ID)


def mark(block: Block) -> Block:
    """Say that `block` was made by Piano Hands; returns it."""
    block[MARK] = True
    return block


def is_ours(block: bpy.types.ID) -> bool:
    return bool(block.get(MARK))
