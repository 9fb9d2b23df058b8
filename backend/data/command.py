# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `data` and what stands under it."""

import argparse

from . import synthesize_command


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("data", help="data sets for training", description="Data sets for training.")
    synthesize_command.add_parser(parser.add_subparsers(title="commands", required=True, metavar="COMMAND"))
