# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: each split's videos, items, hours and annotated poses, what is broken and why, what no split names."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .cache import Cache
from .dataset import Broken, Cut, items_of, usable
from .layout import ANNOTATION, SPLITS, VISIBLE, Item


@dataclass(frozen=True)
class SplitReport:
    """seen: share of frames on which a hand is visible; rates: items at each number of frames a second."""

    split: str
    videos: int
    items: int
    uploaders: dict[str, int]
    hours: float
    poses: int
    seen: float
    rates: dict[str, int]
    without_midi: int
    broken: tuple[Broken, ...]

    def lines(self) -> list[str]:
        rates = ", ".join(f"{count} at {rate} fps" for rate, count in sorted(self.rates.items()))
        found = [
            f"{self.split}: {self.items} items of {self.videos} videos by {len(self.uploaders)} uploaders, {self.hours:.2f} hours, "
            f"{self.poses} poses of a hand, {self.seen:.1%} seen; {rates or 'none'}; {self.without_midi} without MIDI"
        ]
        return found + [f"  left out: {broken}" for broken in self.broken]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"broken": {str(broken.item): broken.reason for broken in self.broken}}


def check_split(
    cache: Cache,
    split: str,
    *,
    uploaders: Sequence[str] = (),
    cut: Cut | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> SplitReport:
    """Reads and decodes every item: it fills the cache on its way. Raises PianoHandsError('bad-data')."""
    good, broken = usable(cache, items_of(cache.root, split, uploaders=uploaders), cut or Cut(), tell=tell)
    hours, poses, seen = 0.0, 0, 0.0
    rates, by = dict[str, int](), dict[str, int]()
    for item in good:
        recorded = cache.load(item)
        hours += recorded.seconds / 3600
        poses += 2 * recorded.frames.shape[1]
        seen += float(recorded.frames[:, :, VISIBLE].sum())
        rates[f"{recorded.fps:g}"] = rates.get(f"{recorded.fps:g}", 0) + 1
        by[item.uploader] = by.get(item.uploader, 0) + 1
    return SplitReport(
        split=split,
        videos=len({(item.uploader, item.video) for item in good}),
        items=len(good),
        uploaders=by,
        hours=hours,
        poses=poses,
        seen=seen / max(poses, 1),
        rates=rates,
        without_midi=sum(not item.midi(cache.root).is_file() for item in good),
        broken=tuple(broken),
    )


def unnamed(root: Path) -> list[str]:
    """Videos with annotations that no split names."""
    named = {(item.uploader, item.video) for split in SPLITS if (root / f"{split}.txt").exists() for item in items_of(root, split)}
    there = {Item(path.parts[-3], path.parts[-2], path.stem) for path in (root / ANNOTATION).glob("*/*/*.json")}
    return sorted({f"{item.uploader}/{item.video}" for item in there if (item.uploader, item.video) not in named})
