"""`python -m reports headline`: what opens a report."""

from __future__ import annotations

import argparse

from reports.commands import _arguments

HELP = "the sentence that opens a report"
EXAMPLE = "latest"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of which profile."""
    parser.add_argument("profile", metavar="PROFILE", help=_arguments.PROFILE)


def run(given: argparse.Namespace) -> int:
    """Print what opens a report."""
    from reports.analysis.analysis import Analysis
    from reports.locate import load

    print(Analysis(load(given.profile)[0]).headline)
    return 0
