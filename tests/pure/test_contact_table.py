# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of build.py bench: what a row shows, and what means and worst figures are made of."""

from tests.bench.contact_table import table


def figures(piece: str, note: float, finger: float | None, timing: float) -> dict:
    scores = {"notes": {"f1": note}, "frames": {"f1": 0.9}, "timing_p95": timing, "timing_max": 0.02, "right_finger": finger}
    fit = {"gap_p95": 0.0005, "penetration_p99": 0.001, "penetration_max": 0.002}
    body = {"hands_distance": None, "fingers_distance": -0.0012, "board_distance": 0.004, "limit_violations": 0.005}
    return {
        "piece": piece,
        "contact": {"scores": scores, "fit": fit, "body": body},
        "seconds_per_second": 0.5,
        "backend_megabytes": None,
        "blender_megabytes": 400.4,
    }


def test_rows_then_mean_then_worst() -> None:
    head, a, b, mean, worst = (
        line.split() for line in table([figures("a.mid", 1.0, None, 0.002), figures("b.mid", 0.8, 0.9, 0.004)])
    )
    assert head[0] == "piece"
    assert a == ["a", "1.000", "0.900", "2.0", "20.0", "0.50", "1.00", "2.00", "-", "-", "-1.2", "4.0", "0.50", "0.500", "-", "400"]
    assert b[8] == "0.900"
    assert mean[:4] == ["mean", "0.900", "0.900", "3.0"] and mean[8] == "0.900"
    assert worst[:4] == ["worst", "0.800", "0.900", "4.0"]


def test_nothing_measured_is_a_table_without_rows() -> None:
    assert len(table([])) == 1
