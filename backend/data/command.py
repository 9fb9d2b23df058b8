# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend data`: what is in a folder of PianoMotion10M, how it gets there, and a made one."""

import argparse
import json
from functools import partial
from pathlib import Path

from s2c_blender.wire.errors import write_failed
from s2c_blender.wire.terminal import ProgressBar

from . import synthesize_command


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("data", help="PianoMotion10M: fetch it, look what is there")
    works = parser.add_subparsers(title="works", required=True, metavar="WORK")
    _add_check(works)
    _add_fetch(works)
    synthesize_command.add_parser(works)


def _add_check(works: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = works.add_parser(
        "check",
        help="say what is in the data set, and what is broken",
        description="Read and decode every item of train.txt, valid.txt and test.txt, which fills the cache that training uses.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="with annotation/, audio/, midi/ and the split files")
    parser.add_argument("--uploaders", nargs="+", default=[], metavar="ID", help="these alone")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where decoded items are kept (DIR/cache of the data set)")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="also write the report there")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    """Fails where a split is missing or empty; items that are left out are listed."""
    from .cache import Cache
    from .check import check_split, unnamed
    from .dataset import bad_data
    from .layout import SPLITS

    cache, bar = Cache.of(options.folder, options.cache), ProgressBar()
    reports = list[object]()
    missing = [split for split in SPLITS if not (options.folder / f"{split}.txt").is_file()]
    if len(missing) == len(SPLITS):
        raise bad_data(f"{options.folder} has no train.txt, valid.txt or test.txt.")
    empty = False
    for split in SPLITS:
        if split in missing:
            print(f"{split}: there is no {split}.txt")
            continue
        report = check_split(cache, split, uploaders=options.uploaders, tell=partial(bar.report, split))
        bar.end()
        print(*report.lines(), sep="\n")
        reports.append(report.to_json())
        empty |= not report.items
    strays = unnamed(options.folder)
    if strays:
        print(f"{len(strays)} videos are in no split: {', '.join(strays[:5])}{' ...' if len(strays) > 5 else ''}")
    if options.json:
        try:
            options.json.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise write_failed(options.json, error) from error
    return 1 if missing or empty else 0


def _add_fetch(works: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = works.add_parser(
        "fetch",
        help="download the data set from a mirror",
        description="Download annotation.zip, audio.zip, midi.zip and the split files, or the files themselves, and unfold them. "
        "The same command again goes on where it stopped. The authors publish them on a drive without plain addresses "
        "(github.com/agnJason/PianoMotion10M): name a mirror.",
        epilog="example: python -m backend data fetch -o PianoMotion10M --address https://example.org/piano/files.json",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the data set's folder")
    parser.add_argument(
        "--address",
        required=True,
        metavar="URL",
        help="a JSON list of path, size and sha256 beside the files; or https://huggingface.co/datasets/OWNER/NAME",
    )
    parser.set_defaults(run=_fetch)


def _fetch(options: argparse.Namespace) -> int:
    from .fetch import fetch_data

    bar = ProgressBar()
    try:
        fetched = fetch_data(options.address, options.output, tell=bar.report)
    finally:
        bar.end()
    print(f"{len(fetched)} files came to {options.output}; see data check")
    return 0
