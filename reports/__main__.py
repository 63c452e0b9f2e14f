"""The command line: build a report, print its headline, check profiles. Exit codes: 0 good, 1 failed, 2 bad input."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.records import Profile

PROFILE = "a profile.json, a run's folder, a name in the gallery, or `latest`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are one line on stderr."""
    given = _parser().parse_args(arguments)
    from bench.records import BadProfile
    from reports.load import BadInput

    try:
        if given.verb == "build":
            return _build(given.profile, given.out)
        return _check(given.profile) if given.verb == "check" else _headline(given.profile)
    except (BadInput, BadProfile) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Read profiles: build a report, print its headline, or check them. Nothing is measured.",
        epilog="example: python -m reports build latest",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    build = verbs.add_parser(
        "build",
        help="write report.md, report.html, points.csv and plots/ (svg, png, pdf)",
        epilog="example: python -m reports build reports/runs/latest --out site",
    )
    build.add_argument("profile", metavar="PROFILE", help=PROFILE)
    build.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (default: next to the profile)"
    )
    headline = verbs.add_parser(
        "headline",
        help="the sentence that opens a report",
        epilog="example: python -m reports headline latest",
    )
    headline.add_argument("profile", metavar="PROFILE", help=PROFILE)
    check = verbs.add_parser(
        "check",
        help="say whether profiles are valid and complete, and whether a point is impossible",
        epilog="example: python -m reports check latest",
    )
    check.add_argument("profile", nargs="+", metavar="PROFILE", help=PROFILE)
    return parser


def _build(argument: str, out: Path | None) -> int:
    from reports.build import build, shown
    from reports.load import load

    profile, folder = load(argument)
    built = build(profile, out or folder, source=shown(folder))
    print(built.headline)
    print(built.page)
    if built.impossible:
        print("a point lies above its roof: the report begins with it", file=sys.stderr)
    return 1 if built.impossible else 0


def _headline(argument: str) -> int:
    from reports.headline import headline
    from reports.load import load

    profile, _ = load(argument)
    print(headline(profile))
    return 0


def _check(arguments: Sequence[str]) -> int:
    """Every profile is looked at, whatever is wrong with those before it; the worst code counts."""
    from bench.records import BadProfile
    from reports.load import BadInput, load

    worst = 0
    for argument in arguments:
        try:
            profile, _ = load(argument)
        except (BadInput, BadProfile) as error:
            print(f"error: {error}", file=sys.stderr)
            worst = 2
            continue
        good, line = _summary(profile)
        print(f"{argument}: {line}")
        worst = max(worst, 0 if good else 1)
    return worst


def _summary(profile: Profile) -> tuple[bool, str]:
    from reports import doubts

    counts = {
        status: sum(p.status == status for p in profile.points)
        for status in ("ok", "failed", "skipped")
    }
    impossible = doubts.impossible(profile)
    words = [
        "complete" if profile.complete else "not complete",
        f"{counts['ok']} good",
        f"{counts['failed']} failed",
        f"{counts['skipped']} skipped",
        f"{len(impossible)} impossible",
        f"{len(doubts.of(profile))} doubts",
    ]
    return profile.complete and not counts["failed"] and not impossible, ", ".join(words)


if __name__ == "__main__":
    sys.exit(main())
