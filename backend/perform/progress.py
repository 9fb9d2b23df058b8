# SPDX-License-Identifier: GPL-3.0-or-later
"""How long loops say how far they are, and how they are stopped."""

from collections.abc import Callable

#: Called every now and then with the share done, 0 to 1; raises Cancelled where the person wants no more.
Tick = Callable[[float], None]


def no_tick(share: float) -> None:
    """Nobody listens."""


def part_of(tick: Tick, begin: float, end: float) -> Tick:
    """The tick of a piece of work that takes the whole's share from `begin` to `end`."""
    return lambda share: tick(begin + (end - begin) * share)
