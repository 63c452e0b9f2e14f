"""`python -m reports fleet`: which of the nodes in a folder are slow, in what, and how sure that is."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from reports.commands import _arguments

if TYPE_CHECKING:  # what --help need not load
    from reports.fleet.fleet import Fleet
    from reports.fleet.upgrade import Upgrade

HELP = "nodes that should be equal: which is slow (exit 1), in what, how sure; 3 where one could not be judged"
EXAMPLE = "fleet-of-today --out fleet-of-today"
LARGEST_PERCENT = 1000.0
MOST_NODES = 24
"""Nodes that are printed."""
GOOD, SLOW, UNJUDGED = 0, 1, 3
"""Exit codes: every node is judged and none is slow; one is slow; none is, and some could not be judged."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which fleet, what is asked, and where to."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="holds NODE/PASS/profile.json, or NODE/profile.json of one pass",
    )
    parser.add_argument(
        "--slower-than",
        type=float,
        metavar="PERCENT",
        help="a node is slow that is surely slower than its class, and by more than this (default: 3)",
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="PERCENT",
        help="count the nodes within this of their class (default: 5)",
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIR",
        help="the same fleet before something was changed everywhere",
    )
    _arguments.add_out(
        parser, "write fleet.md, fleet.html, fleet.csv, figures.csv, fleet.prom, plots/"
    )


def run(given: argparse.Namespace) -> int:
    """Print the answer, and write it where `out` is given. 1 where a node is slow, 3 where one could not be judged."""
    from reports.fleet import fleet as fleets
    from reports.fleet import folder
    from reports.fleet.upgrade import upgrade
    from reports.page import fleet as page
    from reports.page.terminal import say

    asked = [
        _percent(name, value, default)
        for name, value, default in (
            ("--slower-than", given.slower_than, fleets.SLOWER),
            ("--within", given.within, fleets.WITHIN),
        )
    ]
    found = folder.read(given.folder)
    fleet = fleets.fleet(found, *asked)
    changed = None
    if given.before is not None:
        before = folder.read(given.before)
        changed = upgrade(fleets.fleet(before, *asked), before, fleet, found)
    _print(fleet, changed)
    if given.out is not None:
        words = ["python", "-m", "reports", "fleet", _arguments.shown(str(given.folder))]
        for name in ("slower_than", "within", "before"):
            if (value := getattr(given, name)) is not None:
                text = _arguments.shown(str(value)) if name == "before" else f"{value:g}"
                words += [f"--{name.replace('_', '-')}", text]
        say(str(page.write(fleet, given.out, shlex.join(words), changed)))
    if fleet.slow:
        return SLOW
    return UNJUDGED if fleet.unjudged else GOOD


def _percent(name: str, value: float | None, default: float) -> float:
    """What is asked, in per cent. Raises BadInput."""
    from reports.locate import BadInput

    if value is None:
        return default
    if not 0 < value <= LARGEST_PERCENT:
        raise BadInput(f"{name} {value:g}: give a percentage above 0, to {LARGEST_PERCENT:g}")
    return value


def _print(fleet: Fleet, changed: Upgrade | None) -> None:
    from reports.fleet import tables
    from reports.page.terminal import say, show

    count = len(fleet.nodes)
    nodes = f"Nodes, the first {MOST_NODES} of {count}" if count > MOST_NODES else "Nodes"
    say(*tables.sentences(fleet))
    if changed is not None:
        say(*tables.upgrade_sentences(changed))
    show("What is slow", tables.slow_table(fleet))
    show(nodes, tables.node_table(fleet, MOST_NODES))
    show("Classes", tables.class_table(fleet))
    show("What gave nothing", tables.silent_table(fleet))
    if exclude := tables.exclude(fleet):
        say(exclude)
