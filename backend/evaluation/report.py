# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as JSON and as a table in Markdown."""

from collections.abc import Mapping
from typing import Any

from .published import QUIRKS

_MEASURES = (
    ("fid", "FID"),
    ("wgd", "WGD"),
    ("distance", "PD"),
    ("smoothness", "smoothness"),
    ("fgd", "FGD"),
    ("feature_distance", "L1 of features"),
)
_CORRECTED = (
    "Corrected: double precision; FID and FGD by symmetric roots; WGD the Wasserstein distance of mixtures on the recorded poses' "
    "axes, radians; PD in metres where a hand was seen; smoothness the difference of mean accelerations, radians a frame and frame."
)
_CONTACT = (
    ("note_f1", "note F1", 3),
    ("frame_f1", "frame F1", 3),
    ("timing_p95_ms", "timing P95, ms", 1),
    ("right_finger", "right finger", 3),
)


def markdown(report: Mapping[str, Any]) -> str:
    """Small is good in all but contact."""
    lines = [
        f"{report['split']}: {report['windows']} windows of {report['seconds']:g} s, seeds {', '.join(map(str, report['seeds']))}, "
        f"{report['steps']} steps of {report['sampler']}. Mean ± standard deviation over seeds.",
    ]
    for column, title in (("published", "As published"), ("corrected", "Corrected")):
        lines += ["", f"**{title}**", "", *_table(report["rows"], column)]
    lines += ["", "As published: " + "; ".join(f"{name}: {words}" for name, words in QUIRKS.items()) + ".", "", _CORRECTED]
    with_contact = {name: row["contact"] for name, row in report["rows"].items() if row.get("contact")}
    if with_contact:
        windows = next(iter(with_contact.values()))["windows"]
        lines += ["", f"**Contact of fingertips and keys, {windows} windows**", "", *_contact(with_contact)]
    return "\n".join(lines) + "\n"


def _table(rows: Mapping[str, Mapping[str, Any]], column: str) -> list[str]:
    heads, keys = list[str](), list[tuple[str, str]]()
    rows = {name: row for name, row in rows.items() if column in row}
    first = next(iter(rows.values()))[column]
    for name, title in _MEASURES:
        for hand, values in first.items():
            if name in values:
                heads.append(title if hand == "both" else f"{title}, {hand}")
                keys.append((hand, name))
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for row, measured in rows.items():
        lines.append(f"| {row} | " + " | ".join(_number(measured[column][hand][name]) for hand, name in keys) + " |")
    return lines


def _number(value: Mapping[str, float | None]) -> str:
    mean, spread = value["mean"], value["spread"]
    if mean is None:
        return "–"
    return f"{mean:.4g}" if spread is None else f"{mean:.4g} ± {spread:.2g}"


def _contact(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    heads = [f"{title}, {when}" for _, title, _ in _CONTACT for when in ("before", "after")]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for row, measured in rows.items():
        cells = [_cell(measured[when][name], digits) for name, _, digits in _CONTACT for when in ("before", "after")]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
