"""`python -m reports compare`: profiles and published machines against one another; a gate."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.commands import _arguments

if TYPE_CHECKING:  # what --help need not load
    from reports.compare.system import System

HELP = "two to twenty profiles or folders of runs: ratios, what they follow, a ranking per cell"
EXAMPLE = 'latest "NVIDIA P100" --out comparison'
SIDE = f"{_arguments.ONE_OF}; or a folder of runs' folders, which together are one side"
MOST_RATIOS = 12
"""Of a comparison that are printed."""
GATED = {"passed": 0, "failed": 1, "inconclusive": 3}
"""What a gate that ends so exits with."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which, where to, and the gate."""
    parser.add_argument("profile", nargs="+", metavar="PROFILE", help=SIDE)
    _arguments.add_out(parser, "write compare.md, compare.html, compare.csv, plots/")
    parser.add_argument(
        "--fail-if-slower",
        type=float,
        metavar="PERCENT",
        help="exit 1 where a case is surely slower than before by more, 3 where the runs do not tell; the first half "
        "of the profiles are those before, the second half those after: three runs a side at least",
    )
    parser.add_argument(
        "--unlike",
        action="store_true",
        help="judge runs although they were measured with other threads, cores, versions or settings of the machine",
    )


def run(given: argparse.Namespace) -> int:
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
        command = shlex.join(
            ["python", "-m", "reports", "compare", *map(_arguments.shown, given.profile)]
        )
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


def _side(argument: str) -> list[System]:
    """One system, or all of a folder of runs. Raises BadInput, BadFile."""
    from reports.locate import runs

    return [_arguments.system(one) for one in runs(argument)]


def _joined(side: Sequence[System]) -> System:
    from reports.compare import sides

    return sides.joined(side)
