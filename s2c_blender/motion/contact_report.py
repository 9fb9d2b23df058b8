# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of one measured scene: as a value, as JSON, as text and as one line of a table."""

from dataclasses import asdict, dataclass
from typing import Any

from ..wire.notes import pitch_name
from .contact_scores import Miss, NoteScores

_LISTED = 12


@dataclass(frozen=True)
class Fit:
    """How hands fit the moving keys. Metres."""

    gap_p95: float
    penetration_p99: float
    penetration_max: float
    penetration_key: int | None  # MIDI pitch, time and part of the hand of the deepest point
    penetration_time: float | None
    penetration_by: str = ""


@dataclass(frozen=True)
class Body:
    """Joints and overlaps. Distances in metres, negative where meshes overlap; None where there is nothing to measure."""

    limit_violations: float | None  # share of frames
    hands_distance: float | None
    hands_time: float | None
    fingers_distance: float | None
    fingers_time: float | None
    fingers: str = ""  # which two come closest
    board_distance: float | None = None  # of the hands and the fallboard
    board_time: float | None = None


@dataclass(frozen=True)
class ContactReport:
    """What was measured between `start` and `end` (seconds)."""

    start: float
    end: float
    rate: float
    scores: NoteScores
    fit: Fit
    body: Body
    way: str  # how the scene was read
    seconds: float  # that measuring took

    #: Heads of `row()`.
    HEAD = "note F1  P     R     frame F1  timing P95  max ms  gap mm  pen mm P99  max   finger"

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, for JSON."""
        plain = asdict(self)
        plain["scores"]["notes"] = self.scores.notes.as_dict()
        plain["scores"]["frames"] = self.scores.frames.as_dict()
        return plain

    def row(self) -> str:
        """The main figures under `HEAD`."""
        s, f = self.scores, self.fit
        finger = "  -  " if s.right_finger is None else f"{s.right_finger:.3f}"
        return (
            f"{s.notes.f1:7.3f}  {s.notes.precision:.3f} {s.notes.recall:.3f} {s.frames.f1:8.3f}  {1e3 * s.timing_p95:10.1f}"
            f"  {1e3 * s.timing_max:6.1f}  {1e3 * f.gap_p95:6.2f}"
            f"  {1e3 * f.penetration_p99:10.2f}  {1e3 * f.penetration_max:4.2f}  {finger}"
        )

    def text(self) -> str:
        """All figures in a few lines, and the first missed and extra notes."""
        s, f, b = self.scores, self.fit, self.body
        lines = [
            f"Contact from the scene, {self.start:.1f} to {self.end:.1f} s ({self.seconds:.1f} s, {self.way})",
            f"  notes   F1 {s.notes.f1:.3f}  precision {s.notes.precision:.3f}  recall {s.notes.recall:.3f}"
            f"  ({s.notes.hits} of {s.notes.reference}, {len(s.extra)} extra, {s.rolled} rolled, {s.unplayed} unplayable)",
            f"  frames  F1 {s.frames.f1:.3f}  precision {s.frames.precision:.3f}  recall {s.frames.recall:.3f}",
            f"  timing  median {1e3 * s.timing_median:.1f}  P95 {1e3 * s.timing_p95:.1f}  max {1e3 * s.timing_max:.1f} ms"
            f"  (mean {1e3 * s.timing_bias:+.1f})",
            f"  fit     gap P95 {1e3 * f.gap_p95:.2f} mm  penetration P99 {1e3 * f.penetration_p99:.2f}"
            f"  max {1e3 * f.penetration_max:.2f} mm{_where(f)}",
            f"  finger  {'unknown' if s.right_finger is None else f'{s.right_finger:.3f} right'}",
            f"  body    limits {'not looked at' if b.limit_violations is None else f'{100 * b.limit_violations:.2f} % outside'}"
            f"  hands {_millimetres(b.hands_distance)}{_at(b.hands_time)}"
            f"  fingers {_millimetres(b.fingers_distance)}{_at(b.fingers_time, b.fingers)}"
            f"  fallboard {_millimetres(b.board_distance)}{_at(b.board_time)}",
        ]
        return "\n".join(lines + _listed("missed", s.missed) + _listed("extra", s.extra))


def _where(fit: Fit) -> str:
    return (
        ""
        if fit.penetration_key is None
        else _at(fit.penetration_time, f"{fit.penetration_by} in {pitch_name(fit.penetration_key)}")
    )


def _at(time: float | None, what: str = "") -> str:
    return "" if time is None else f" ({what + ' ' if what else ''}at {time:.2f} s)"


def _millimetres(distance: float | None) -> str:
    return "-" if distance is None else f"{1e3 * distance:.1f} mm"


def _listed(word: str, misses: tuple[Miss, ...]) -> list[str]:
    lines = [f"  {word}: {miss}" for miss in misses[:_LISTED]]
    if len(misses) > _LISTED:
        lines.append(f"  {word}: and {len(misses) - _LISTED} more")
    return lines
