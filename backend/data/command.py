# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend data`: what is in a folder of PianoMotion10M, how it gets there, and a made one."""

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from s2c_blender.wire.errors import write_failed
from s2c_blender.wire.terminal import ProgressBar

from .. import config
from . import synthesize_command

if TYPE_CHECKING:
    from .cache import Cache


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
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="that decode beside each other (1)")
    parser.add_argument("--share", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="also write the report there")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    """Fails where a split is missing or empty; items that are left out are listed."""
    from .cache import Cache
    from .check import check_split, unnamed
    from .dataset import bad_data
    from .layout import SPLITS

    cache, bar = Cache.of(options.folder, options.cache), ProgressBar()
    if options.share:
        return _decode(cache, options)
    reports = list[object]()
    missing = [split for split in SPLITS if not (options.folder / f"{split}.txt").is_file()]
    if len(missing) == len(SPLITS):
        raise bad_data(f"{options.folder} has no train.txt, valid.txt or test.txt.")
    if options.processes > 1:
        _decode_beside(options)
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


def _decode(cache: "Cache", options: argparse.Namespace) -> int:
    """A share of all items, silently: what is broken is told by who asked for this."""
    from .dataset import Cut, items_of, usable
    from .layout import SPLITS

    first, step = options.share
    for split in SPLITS:
        if (options.folder / f"{split}.txt").is_file():
            usable(cache, items_of(options.folder, split, uploaders=options.uploaders)[first::step], Cut())
    return 0


def _decode_beside(options: argparse.Namespace) -> None:
    """Fill the cache by processes of our own. One that fails leaves its share to this one."""
    command = [sys.executable, "-s", "-m", "backend", "data", "check", str(options.folder.absolute())]
    command += ["--cache", str(options.cache.absolute())] if options.cache else []
    command += ["--uploaders", *options.uploaders] if options.uploaders else []
    shares = [[*command, "--share", str(index), str(options.processes)] for index in range(options.processes)]
    for running in [subprocess.Popen(share, cwd=config.ROOT) for share in shares]:
        running.wait()


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
