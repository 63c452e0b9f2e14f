"""The command line: report on profiles, compare and check them.

Exit codes: 0 good, 1 failed, 2 bad input, 3 a gate that cannot tell.
"""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.profile import streams
from bench.profile.errors import OneLine, absent

if TYPE_CHECKING:  # what --help need not load
    from bench.profile.records import Profile
    from reports.compare.repeatability import Repeatability
    from reports.compare.system import System

PROFILE = "a profile.json, a run's folder, a name in the gallery, or `latest`"
ONE_OF = f"{PROFILE}; or a published machine, such as `NVIDIA P100`"
SIDE = f"{ONE_OF}; or a folder of runs' folders, which together are one side"
MOST_RATIOS = 12
"""Of a comparison that are printed."""
GATED = {"passed": 0, "failed": 1, "inconclusive": 3}
"""What a gate that ends so exits with."""
WITNESSES = ("project", "machine", "environment", "settings")
"""Objects of a profile whose fields may be absent one by one; without any, nobody can measure it again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors are one line on stderr."""
    streams.forgive()
    given = _parser().parse_args(arguments)
    try:
        code: int = given.run(given)
    except ModuleNotFoundError as error:
        print(f"error: {absent(error)}", file=sys.stderr)
        return 2
    except OneLine as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if reason := streams.lost():
        print(f"error: what is printed cannot be written: {reason}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Read profiles: report on one, compare several, predict, check. Nothing is measured.",
        epilog="example: python -m reports build latest",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        run: Callable[[argparse.Namespace], int], help_: str, example: str
    ) -> argparse.ArgumentParser:
        """A verb called as its function is, to which its options are added."""
        name = run.__name__.strip("_")
        example = f"example: python -m reports {name} {example}"
        added = verbs.add_parser(name, help=help_, epilog=example)
        added.set_defaults(run=run)
        return added

    def folder(one: argparse.ArgumentParser, help_: str, default: Path | None = None) -> None:
        one.add_argument("--out", type=Path, metavar="DIR", help=help_, default=default)

    one = verb(
        _build,
        "write report.md, report.html, points.csv and plots/ (svg, png, pdf)",
        "reports/runs/latest --out site",
    )
    one.add_argument("profile", metavar="PROFILE", help=PROFILE)
    folder(one, "where to write (default: next to the profile)")

    one = verb(_headline, "the sentence that opens a report", "latest")
    one.add_argument("profile", metavar="PROFILE", help=PROFILE)

    one = verb(
        _check,
        "say whether profiles are valid and complete, and whether a point is impossible",
        "latest",
    )
    one.add_argument("profile", nargs="+", metavar="PROFILE", help=PROFILE)

    one = verb(
        _compare,
        "two to twenty profiles or folders of runs: ratios, what they follow, a ranking per cell",
        'latest "NVIDIA P100" --out comparison',
    )
    one.add_argument("profile", nargs="+", metavar="PROFILE", help=SIDE)
    folder(one, "write compare.md, compare.html, compare.csv, plots/")
    one.add_argument(
        "--fail-if-slower",
        type=float,
        metavar="PERCENT",
        help="exit 1 where a case is surely slower than before by more, 3 where the runs do not tell; the first half "
        "of the profiles are those before, the second half those after: three runs a side at least",
    )

    one.add_argument(
        "--unlike",
        action="store_true",
        help="judge runs although they were measured with other threads, cores, versions or settings of the machine",
    )

    one = verb(
        _repeatability,
        "runs of one suite on one machine: what moves between them, and whether they say the same",
        "reports/runs/20250102-030405-repeat --out moves",
    )
    one.add_argument(
        "profile", nargs="+", metavar="PROFILE", help=f"{PROFILE}; or a folder that holds runs"
    )
    folder(one, "write repeatability.csv")

    one = verb(
        _predict,
        "what one profile's steps would take on another's roofs, with the error where both are known",
        '"NVIDIA TitanXp" --on "NVIDIA P100"',
    )
    one.add_argument("profile", metavar="PROFILE", help=ONE_OF)
    one.add_argument("--on", required=True, metavar="PROFILE", help="whose roofs")
    folder(one, "write predict.csv")

    one = verb(
        _gallery,
        "a static site of every profile in reports/gallery, ready to publish",
        "--out site",
    )
    folder(one, "where to write (default: site)", Path("site"))
    return parser


def _build(given: argparse.Namespace) -> int:
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


def _headline(given: argparse.Namespace) -> int:
    """Print what opens a report."""
    from reports.analysis.analysis import Analysis
    from reports.locate import load

    print(Analysis(load(given.profile)[0]).headline)
    return 0


def _check(given: argparse.Namespace) -> int:
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


def _compare(given: argparse.Namespace) -> int:
    """Print a comparison, write it where `out` is given, and gate it where a percentage is."""
    from reports import locate
    from reports.compare import match
    from reports.page import comparison as page
    from reports.page.terminal import say, show
    from reports.tables import comparison as tables

    gated = given.fail_if_slower is not None
    match.refuse_number(len(given.profile))
    if given.unlike and not gated:
        raise locate.BadInput("--unlike has no meaning without --fail-if-slower")
    sides = [_side(argument) for argument in given.profile]
    judged = _gate(sides, given.fail_if_slower, unlike=given.unlike) if gated else 0
    if gated:
        half = len(sides) // 2
        sides = [[run for side in part for run in side] for part in (sides[:half], sides[half:])]
    found = match.compare([_joined(side) for side in sides])
    count = len(found.rows)
    ratios = "Ratios"
    if count > MOST_RATIOS:
        ratios += f", the {MOST_RATIOS} farthest from 1 of {count}"
    say(*tables.names(found))
    show("Machines", tables.machine_table(found))
    show(ratios, tables.ratio_table(found, MOST_RATIOS))
    show("Ranking per cell", tables.ranking_table(found))
    show("What differs", tables.differing_table(found))
    say(*tables.notes(found), *tables.overall(found))
    if count > MOST_RATIOS:
        say(f"All {count} ratios are in compare.csv and compare.html, which --out DIR writes.")
    if given.out is not None:
        command = shlex.join(["python", "-m", "reports", "compare", *map(_shown, given.profile)])
        say(str(page.write(found, given.out, command)))
    return judged


def _gate(sides: Sequence[Sequence[System]], percent: float, *, unlike: bool) -> int:
    """Print how a gate ended and why, before anything else; its exit code. Raises BadInput."""
    from reports.compare import gate
    from reports.locate import BadInput
    from reports.page.terminal import say, show
    from reports.tables import gate as tables

    if len(sides) % 2:
        raise BadInput(
            f"--fail-if-slower: {len(sides)} profiles or folders: give those before first, then as many after"
        )
    before, after = (
        [run for side in part for run in side]
        for part in (sides[: len(sides) // 2], sides[len(sides) // 2 :])
    )
    judged = gate.gate(before, after, percent, unlike=unlike)
    say(*tables.judgement(judged))
    show("Gate", tables.gate_table(judged))
    return GATED[judged.outcome]


def _repeatability(given: argparse.Namespace) -> int:
    """Print what moves between runs, and write it as CSV where `out` is given."""
    from reports import locate
    from reports.analysis.analysis import Analysis
    from reports.compare.agreement import agreement
    from reports.compare.repeatability import repeated
    from reports.page.terminal import say, show
    from reports.tables import repeatability as tables

    runs = [run for argument in given.profile for run in locate.runs(argument)]
    folders = {Path(run).parent for run in runs}
    one = len(folders) == 1 and folders != {Path()}
    names = [Path(run).name for run in runs] if one else runs
    found = repeated([Analysis(locate.load(run)[0]) for run in runs], names)
    agreed = agreement(found)
    count, most = len(found.points), tables.MOST_POINTS
    points = f"Points, the {most} that move most of {count}" if count > most else "Points"
    show(f"Runs in {folders.pop()}" if one else "Runs", tables.run_table(found, agreed))
    show(points, tables.point_table(found, most))
    show("Free batches that differ", tables.free_table(agreed))
    show("Claims", tables.claim_table(agreed))
    show("Verdicts confirmed in one run, and others in another", tables.differing_table(agreed))
    say(*tables.advice(found), *_could_tell(found))
    show("What holds", tables.summary_table(agreed))
    if given.out is not None:
        say(_written(given.out, "repeatability.csv", tables.points_csv(found)))
    return 0


def _could_tell(found: Repeatability) -> list[str]:
    """From which slow-down on a gate could tell one with as many runs a side, where these are enough for a gate."""
    from reports.compare import gate, measured
    from reports.compare.between_runs import RUNS
    from reports.tables.gate import told

    if len(found.names) < RUNS or not any(None not in point.rows for point in found.points):
        return []
    pairs = zip(found.analyses, found.names, strict=True)
    judged = gate.alike([measured.system(analysis, name) for analysis, name in pairs])
    return [f"With as many runs a side, compare --fail-if-slower 0: {told(judged)}"]


def _predict(given: argparse.Namespace) -> int:
    """Print predictions, and write them as CSV where `out` is given."""
    from reports.compare import predict
    from reports.page.terminal import say, show
    from reports.tables import predictions as tables

    found = predict.predict(_system(given.profile), _system(given.on))
    title = f"Steps of {found.source.name} on the roofs of {found.target.name}"
    show(title, tables.predictions(found))
    say(*tables.notes(found))
    if given.out is not None:
        say(_written(given.out, "predict.csv", tables.predictions_csv(found)))
    return 0


def _written(out: Path, name: str, text: str) -> str:
    """Write a file of that name to a folder; its path."""
    from reports.page import atomic_write

    with atomic_write.draft(out, last=name) as folder:
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return str(out / name)


def _gallery(given: argparse.Namespace) -> int:
    """Write the site of all profiles in the gallery."""
    from reports.page import site

    print(site.build_site(given.out))
    return 0


def _system(argument: str) -> System:
    """What an argument stands for: a published machine by its name, else a profile. Raises BadInput, BadFile."""
    from reports import published
    from reports.analysis.analysis import Analysis
    from reports.analysis.wording import machine
    from reports.compare import measured
    from reports.locate import BadInput, load

    found = published.find(argument)
    if found is not None:
        return found
    try:
        profile, _ = load(argument)
    except BadInput as error:
        names = ", ".join(published.names())
        raise BadInput(f"{error}; published machines are {names}") from error
    return measured.system(Analysis(profile), machine(profile))


def _side(argument: str) -> list[System]:
    """One system, or all of a folder of runs. Raises BadInput, BadFile."""
    from reports.locate import runs

    return [_system(one) for one in runs(argument)]


def _joined(side: Sequence[System]) -> System:
    from reports.compare import sides

    return sides.joined(side)


def _shown(argument: str) -> str:
    """An argument as a page may print it: a name as it is, a path without what leads there."""
    from reports.locate import shown

    return shown(Path(argument)) if Path(argument).exists() else argument


if __name__ == "__main__":
    # One command, then the process ends: looking for cycles among a million samples, again and again, takes a sixth of
    # a report's time.
    gc.disable()
    sys.exit(main())
