"""The command line: report on profiles, compare and check them. Exit codes: 0 good, 1 failed, 2 bad input."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.profile.records import Profile

PROFILE = "a profile.json, a run's folder, a name in the gallery, or `latest`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are one line on stderr."""
    given = _parser().parse_args(arguments)
    from bench.profile.errors import BadFile
    from reports.locate import BadInput

    try:
        return _run(given)
    except (BadInput, BadFile) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(given: argparse.Namespace) -> int:
    if given.verb == "build":
        return _build(given.profile, given.out)
    if given.verb == "headline":
        return _headline(given.profile)
    if given.verb == "check":
        return _check(given.profile)
    from reports import commands

    if given.verb == "compare":
        return commands.run_compare(given.profile, given.out, given.fail_if_slower)
    if given.verb == "predict":
        return commands.run_predict(given.profile, given.on, given.out)
    return commands.run_gallery(given.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Read profiles: report on one, compare several, predict, check. Nothing is measured.",
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
    _add_several(verbs)
    return parser


def _add_several(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs that look at more than one profile."""
    one_of = f"{PROFILE}; or a published machine, such as `NVIDIA P100`"
    compare = verbs.add_parser(
        "compare",
        help="two to twenty profiles: ratios with intervals, what they follow, a ranking per cell",
        epilog='example: python -m reports compare latest "NVIDIA P100" --out comparison',
    )
    compare.add_argument("profile", nargs="+", metavar="PROFILE", help=one_of)
    compare.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write compare.md, compare.html, compare.csv, plots/",
    )
    compare.add_argument(
        "--fail-if-slower",
        type=float,
        metavar="PERCENT",
        help="exit 1 where a case is slower than before by more; runs before first, as many after, two a side at least",
    )
    predict = verbs.add_parser(
        "predict",
        help="what one profile's steps would take on another's roofs, with the error where both are known",
        epilog='example: python -m reports predict "NVIDIA TitanXp" --on "NVIDIA P100"',
    )
    predict.add_argument("profile", metavar="PROFILE", help=one_of)
    predict.add_argument("--on", required=True, metavar="PROFILE", help="whose roofs")
    predict.add_argument("--out", type=Path, metavar="DIR", help="write predict.csv")
    gallery = verbs.add_parser(
        "gallery",
        help="a static site of every profile in reports/gallery, ready to publish",
        epilog="example: python -m reports gallery --out site",
    )
    gallery.add_argument(
        "--out",
        type=Path,
        default=Path("site"),
        metavar="DIR",
        help="where to write (default: site)",
    )


def _build(argument: str, out: Path | None) -> int:
    from reports.locate import load
    from reports.page.build import build, shown

    profile, folder = load(argument)
    built = build(profile, out or folder, source=shown(folder))
    print(built.headline)
    print(built.page)
    if built.impossible:
        print("a point lies above its roof: the report begins with it", file=sys.stderr)
    return 1 if built.impossible else 0


def _headline(argument: str) -> int:
    from reports.analysis.headline import headline
    from reports.locate import load

    profile, _ = load(argument)
    print(headline(profile))
    return 0


def _check(arguments: Sequence[str]) -> int:
    """Every profile is looked at, whatever is wrong with those before it; the worst code counts."""
    from bench.profile.errors import BadFile
    from reports.locate import BadInput, load

    worst = 0
    for argument in arguments:
        try:
            profile, _ = load(argument)
        except (BadInput, BadFile) as error:
            print(f"error: {error}", file=sys.stderr)
            worst = 2
            continue
        good, line = _summary(profile)
        print(f"{argument}: {line}")
        worst = max(worst, 0 if good else 1)
    return worst


def _summary(profile: Profile) -> tuple[bool, str]:
    from reports.analysis import warnings
    from reports.tables import points

    counts = {
        status: sum(p.status == status for p in profile.points)
        for status in ("ok", "failed", "skipped")
    }
    impossible = warnings.impossible(profile)
    found = [verdict for _, verdict in points.held(profile).values()]
    unknown = sum(verdict.name == "unknown" for verdict in found)
    words = [
        "complete" if profile.complete else "not complete",
        f"{counts['ok']} good",
        f"{counts['failed']} failed",
        f"{counts['skipped']} skipped",
        f"{len(impossible)} impossible",
        f"{unknown} without a verdict",
        f"{len(warnings.of(profile))} warnings",
    ]
    blind = bool(found) and unknown == len(found)  # no step was held against a roof
    good = profile.complete and not counts["failed"] and not impossible and not blind
    return good, ", ".join(words)


if __name__ == "__main__":
    # One command, then the process ends: looking for cycles among a million samples, again and again, takes a sixth of
    # a report's time.
    gc.disable()
    sys.exit(main())
