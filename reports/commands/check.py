"""`python -m reports check`: whether profiles are valid, complete and possible."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench.profile.errors import OneLine
from reports.commands import _arguments

if TYPE_CHECKING:  # what --help need not load
    from bench.profile.records import Profile

HELP = "say whether profiles are valid and complete, and whether a point is impossible"
EXAMPLE = "latest"
WITNESSES = ("project", "machine", "environment", "settings")
"""Objects of a profile whose fields may be absent one by one; without any, nobody can measure it again."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of which profiles."""
    parser.add_argument("profile", nargs="+", metavar="PROFILE", help=_arguments.PROFILE)


def run(given: argparse.Namespace) -> int:
    """Look at every profile, whatever is wrong with those before it; the worst code counts."""
    from reports.locate import load

    worst = 0
    for argument in given.profile:
        try:
            good, line = summary(load(argument)[0])
        except OneLine as error:
            print(f"error: {error}", file=sys.stderr)
            worst = 2
            continue
        print(f"{argument}: {line}")
        worst = max(worst, 0 if good else 1)
    return worst


def summary(profile: Profile) -> tuple[bool, str]:
    """Whether a profile is whole and sound, and the counts that say so."""
    from reports.analysis.analysis import Analysis

    analysis = Analysis(profile)
    statuses = [point.status for point in profile.points]
    found = [verdict.name for _, verdict in analysis.readings]
    impossible, unknown = found.count("impossible"), found.count("unknown")
    words = [
        "complete" if profile.complete else "not complete",
        f"{statuses.count('ok')} good",
        f"{statuses.count('failed')} failed",
        f"{statuses.count('skipped')} skipped",
        f"{impossible} impossible",
        f"{unknown} without a verdict",
        f"{len(analysis.warnings)} warnings",
    ]
    untold = [
        name
        for name in WITNESSES
        if all(value is None for value in getattr(profile, name).values())
    ]
    if untold:
        words.append(f"nothing told of {', '.join(untold)}")
    blind = bool(found) and unknown == len(found)  # no step was held against a roof
    sound = "failed" not in statuses and not impossible and not blind and not untold
    return profile.complete and sound, ", ".join(words)
