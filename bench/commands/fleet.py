"""`python -m bench fleet`: a suite on every node of a Ray cluster, in passes, and which node is slow.

The plan and what came of it stand in `fleet.json` in the folder, profiles in NODE/PASS/profile.json, what Ray said in
`log.txt`. How it goes on, and what it opens and costs, is told in FLEET.md.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.fleet.engine import Request
    from bench.fleet.plan import Book

HELP = "a suite on every node of a Ray cluster, and which node is slow"
EXAMPLES = """Ray is the extra fleet: . .venv/bin/activate && python -m pip install ray==2.60.0
Without --address it measures this machine alone, by a cluster that it starts and ends.

examples:
  python -m bench fleet --suite smoke --out DIR                 try it here; one node alone is not judged
  python -m bench fleet --address auto --out DIR                every node of the cluster that this machine is in
  python -m bench fleet --address auto --label rack=r7 --confirm --out DIR
                                                                of one rack; what is slow is measured again
  python -m bench fleet --resume DIR                            what is missing
"""
MEASURES_HERE = False
"""Nothing is measured in this process: runs find the environment as the node has it."""

ROOT = Path(__file__).parents[2]
MOST_PASSES = 20
PASSES, LIMIT_SECONDS = 2, 3600.0
LONGEST_SECONDS = 1e6
RUN = ("{python}", "-m", "pytest", "-c", "pyproject.toml", "--benchmark-only")
"""A measurement on a node; {python}, {out} and {suite} stand for what it has there."""
KEPT = ("--address", "--label", "--confirm")
"""Options that a fleet keeps, and a resumed one is given again."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """On which nodes, what, and how often."""
    add = parser.add_argument
    add(
        "--address", metavar="HOST:PORT", help="of the cluster; auto: that which this machine is in"
    )
    add("--suite", metavar="NAME|FILE", help="of each run (default: as pytest has it)")
    add("--device", help="cpu, cuda, or all (default: every device of the node)")
    add("--passes", type=int, metavar="N", help=f"over all nodes (default {PASSES})")
    add(
        "--label",
        action="append",
        metavar="KEY=VALUE",
        help="nodes that ray start gave this label (repeatable)",
    )
    add(
        "--limit",
        type=float,
        metavar="SECONDS",
        help=f"of a pass on a node, waiting for its machine included (default {LIMIT_SECONDS:g})",
    )
    add(
        "--confirm",
        action="store_true",
        help="measure what is slow again, beside a node that is not",
    )
    add("--out", type=Path, metavar="DIR", help="a new folder of the fleet")
    add("--resume", type=Path, metavar="DIR", help="measure what is missing")


def run(given: argparse.Namespace) -> int:
    """Measure every node that is missing, then report on all; the exit code of the report. 130 where interrupted."""
    from bench.fleet import fleet
    from bench.fleet.plan import MEASURED, BadFleet, Book

    if find_spec("ray") is None:
        raise BadFleet(
            "Ray is not installed: . .venv/bin/activate && python -m pip install ray==2.60.0"
        )
    book = _resumed(given) if given.resume else _begun(given)
    options = book.fleet.options
    try:
        return fleet.run(book, request(book), "--confirm" in options)
    finally:
        with suppress(OSError):
            _forget_nothing(book)
        if book.folder.exists():
            left = [t for t, found in Book.opened(book.folder).every() if found.state != MEASURED]
            if left:
                again = ["python", "-m", "bench", "fleet", "--resume", str(book.folder)]
                sys.stdout.flush()
                print(f"what is missing is measured by: {shlex.join(again)}", flush=True)


def request(book: Book) -> Request:
    """What the engine of a fleet is to do: all passes, by our own runs."""
    from bench.fleet import plan
    from bench.fleet.engine import Request

    chosen = dict.fromkeys(KEPT, "")
    labels = []
    for option in book.fleet.options:
        name, _, value = option.partition("=")
        chosen[name] = value
        if name == "--label":
            labels.append(value)
    own = (book.folder / plan.SUITE_FILE).is_file()
    device = () if book.fleet.device is None else (f"--device={book.fleet.device}",)
    wait = f"--wait={book.fleet.limit_seconds:g}"
    suite = "--suite={suite}" if own else f"--suite={book.fleet.suite}"
    return Request(
        folder=str(book.folder),
        address=chosen["--address"] or None,
        labels=plan.labels(labels),
        checkout=str(ROOT),
        begin=(*RUN, suite, *device, wait, "--out={out}"),
        resume=(*RUN, wait, "--resume={out}"),
        names=tuple(str(k + 1) for k in range(book.fleet.passes)),
    )


def _begun(given: argparse.Namespace) -> Book:
    """A new fleet and its folder, made. Raises BadFleet, BadFile."""
    from bench.fleet import plan
    from bench.fleet.plan import BadFleet, Book, Fleet
    from bench.profile import suite as suites
    from kernels.case import ALL, DEVICES

    passes = PASSES if given.passes is None else given.passes
    limit = LIMIT_SECONDS if given.limit is None else given.limit
    if not 1 <= passes <= MOST_PASSES:
        raise BadFleet(f"--passes {passes}: give 1 to {MOST_PASSES}")
    if not 0 < limit <= LONGEST_SECONDS:
        raise BadFleet(f"--limit {limit:g}: give seconds, more than 0, of a pass on a node")
    if given.device not in (None, *DEVICES, ALL):
        raise BadFleet(f"--device {given.device!r} is unknown: use cpu, cuda or all")
    plan.labels(given.label or ())
    if given.out is None:
        raise BadFleet("--out is missing: name a new folder, or --resume one that bench fleet made")
    suite = given.suite or (suites.DEFAULT_CUDA if given.device == "cuda" else suites.DEFAULT)
    loaded = suites.load(suite, given.device or ALL, 1, 0)
    folder = given.out.absolute()
    if (folder / plan.FILE).exists():
        raise BadFleet(f"{folder}: it holds a fleet already: choose another --out, or --resume it")
    options = [f"--label={one}" for one in given.label or ()]
    options += [f"--address={given.address}"] if given.address else []
    options += ["--confirm"] * given.confirm
    fleet = Fleet(suite, passes, limit, tuple(options), given.device)
    book = Book(folder, fleet)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if suite.endswith(".toml"):
            (folder / plan.SUITE_FILE).write_text(loaded.text, encoding="utf-8")
    except OSError as error:
        raise plan.unwritten(folder, error) from error
    book.keep()
    return book


def _resumed(given: argparse.Namespace) -> Book:
    """The fleet that a folder holds. Raises BadFleet, BadFile."""
    from bench.fleet.plan import BadFleet, Book

    own = ("suite", "device", "passes", "label", "limit", "out")
    for name in (name for name in own if getattr(given, name) is not None):
        raise BadFleet(f"--{name} is given with --resume: what is resumed keeps its own plan")
    book = Book.opened(given.resume.absolute())
    kept = [
        one for one in book.fleet.options if not (given.address and one.startswith("--address="))
    ]
    kept += [f"--address={given.address}"] if given.address else []
    kept += ["--confirm"] * (given.confirm and "--confirm" not in kept)
    book.fleet = replace(book.fleet, options=tuple(kept))
    book.keep()
    return book


def _forget_nothing(book: Book) -> None:
    """Where no node was found, the folder is left as it was: the same command, mended, may use it."""
    from bench.fleet import plan

    if not type(book).opened(book.folder).fleet.nodes:
        for name in (plan.FILE, plan.SUITE_FILE, plan.LOG_FILE):
            (book.folder / name).unlink(missing_ok=True)
        book.folder.rmdir()
