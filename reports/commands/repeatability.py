"""`python -m reports repeatability`: what moves between runs of one suite."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reports.commands import _arguments

if TYPE_CHECKING:  # what --help need not load
    from reports.compare.repeatability import Repeatability

HELP = "runs of one suite on one machine: what moves between them, and whether they say the same"
EXAMPLE = "reports/runs/20250102-030405-repeat --out moves"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where to."""
    parser.add_argument(
        "profile",
        nargs="+",
        metavar="PROFILE",
        help=f"{_arguments.PROFILE}; or a folder that holds runs",
    )
    _arguments.add_out(parser, "write repeatability.csv")


def run(given: argparse.Namespace) -> int:
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
        say(_arguments.written(given.out, "repeatability.csv", tables.points_csv(found)))
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
