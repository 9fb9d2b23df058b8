# SPDX-License-Identifier: GPL-3.0-or-later
"""How results of tests are counted: from the record that pytest leaves. Standard library only: build.py reads this."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

MAY_SKIP = ("torch", "window")  # groups that need what most machines lack; any other that ran nothing has failed


@dataclass(frozen=True)
class Tally:
    """What came of one group."""

    passed: int
    failed: list[str]
    skipped: list[tuple[str, str]]  # name and reason
    seconds: float

    def __str__(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def read_record(record: Path, group: str, *, code: int, seconds: float) -> Tally:
    """The tally of a group from the record that pytest left, and its exit code."""
    passed, failed, skipped = 0, list[str](), list[tuple[str, str]]()
    cases = ElementTree.parse(record).iter("testcase") if record.exists() else ()
    for case in cases:
        name = (
            f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}" if case.get("name") else f"{group} as a whole"
        )
        reason = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif reason is not None:
            skipped.append((name, reason.get("message", "")))
        else:
            passed += 1
    if code not in (0, 1, 5) and not failed:  # 1: tests failed; 5: none collected
        failed.append(f"{group} as a whole: ended with exit code {code}")
    if not passed and not failed and group not in MAY_SKIP:
        failed.append(f"{group} as a whole: nothing ran")
    return Tally(passed, failed, skipped, seconds)
