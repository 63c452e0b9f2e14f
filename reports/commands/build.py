"""`python -m reports build`: the report on a profile."""

from __future__ import annotations

import argparse
import sys

from reports.commands import _arguments

HELP = "write report.md, report.html, points.csv and plots/ (svg, png, pdf)"
EXAMPLE = "reports/runs/latest --out site"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of which profile, and where to."""
    parser.add_argument("profile", metavar="PROFILE", help=_arguments.PROFILE)
    _arguments.add_out(parser, "where to write (default: next to the profile)")


def run(given: argparse.Namespace) -> int:
    """Write the report on a profile."""
    from reports.analysis.analysis import Analysis
    from reports.locate import load, shown
    from reports.page.build import build

    profile, folder = load(given.profile)
    built = build(Analysis(profile), given.out or folder, source=shown(folder))
    print(built.headline)
    print(built.page)
    if built.impossible:
        print("a point lies above its roof: the report begins with it", file=sys.stderr)
    return 1 if built.impossible else 0
