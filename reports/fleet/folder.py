"""The folder of a fleet: DIR/NODE/PASS/profile.json, or DIR/NODE/profile.json of one pass, whoever wrote it.

Names are free; passes of a node are in the order of their names, numbers as numbers. A pass whose name begins with
`confirm` is one in which suspects were measured again beside a node that is none. Each profile is read, reduced to its
figures and forgotten, so that memory goes with figures and not with samples.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.profile import reader
from bench.profile.errors import BadFile, OneLine, printable
from bench.profile.journal import from_journal
from reports.fleet import figures
from reports.fleet.figures import Pass
from reports.locate import RECORDS, BadInput, holds, in_order

PLAN_FILE = "fleet.json"
"""What `python -m bench fleet` keeps of its nodes."""
LARGEST_PLAN_BYTES = 64 << 20
PLOTS = "plots"
"""Of a report that lies in the fleet's own folder."""
MANY, CHUNK = 64, 16
"""From so many profiles on they are read by several processes, so many at a time."""
MOST_WORKERS = 8
LONGEST_NAME = 100
GONE = "it was measured, and its profile is not here any more"


class Silent(NamedTuple):
    """A node, or a pass of one, that gave nothing to judge, and why."""

    node: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that a fleet's folder holds: passes as they were read, and what gave nothing."""

    passes: tuple[Pass, ...]
    silent: tuple[Silent, ...]


class _Run(NamedTuple):
    """A run's folder, and whose pass it is."""

    folder: Path
    node: str
    name: str


class _Told(msgspec.Struct):
    state: str
    reason: str | None = None


class _Node(msgspec.Struct):
    passes: dict[str, _Told] = {}


class _Plan(msgspec.Struct):
    nodes: dict[str, _Node] = {}


def read(folder: Path) -> Found:
    """Every pass of every node. Raises BadInput for a folder without any profile, or with one run twice."""
    told = _told(folder)
    runs: list[_Run] = []
    silent: list[Silent] = []
    for node in _folders(folder):
        try:
            inside = list(_runs(node))
        except OSError as error:
            silent.append(Silent(_shown(node.name), "", f"cannot be read: {error.strerror}"))
            continue
        runs += inside
        if not inside and node.name not in told:
            silent.append(Silent(_shown(node.name), "", "its folder holds no profile.json"))
    passes: list[Pass] = []
    for one in _read(runs):
        if isinstance(one, Pass):
            passes.append(one)
        else:
            silent.append(one)
    here = {(one.node, one.name) for one in passes}
    here |= {(one.node, one.name) for one in silent}
    for node_name, by_pass in told.items():
        for pass_name, reason in by_pass.items():
            absent = Silent(_shown(node_name), _shown(pass_name), reason)
            if absent[:2] not in here:
                silent.append(absent)
    if not passes:
        why = f": {silent[0].node}: {silent[0].reason}" if silent else ""
        raise BadInput(
            f"{folder}: no profile of a node{why}: give a folder that holds NODE/PASS/profile.json"
        )
    _refuse_twice(passes)
    return Found(tuple(passes), tuple(silent))


def _folders(folder: Path) -> list[Path]:
    """The nodes' folders. Raises BadInput where they cannot be listed."""
    try:
        inside = [one for one in folder.iterdir() if one.is_dir()]
    except OSError as error:
        raise BadInput(
            f"{folder}: cannot be read: {error.strerror}: give a folder that holds NODE/PASS/profile.json"
        ) from error
    named = [one for one in inside if not one.name.startswith(".")]
    return sorted(
        (one for one in named if one.name != PLOTS or any(_runs(one))), key=lambda one: one.name
    )


def _runs(node: Path) -> Iterator[_Run]:
    """The runs of a node, in the order of their names; itself where it is one."""
    if holds(node):
        yield _Run(node, node.name, "1")
        return
    inside = (one for one in node.iterdir() if one.is_dir() and holds(one))
    for one in sorted(inside, key=lambda one: in_order(one.name)):
        yield _Run(one, node.name, one.name)


def _read(runs: Sequence[_Run]) -> Iterator[Pass | Silent]:
    """Each run's figures, in order; by several processes where there are many."""
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    if len(runs) < MANY or workers < 2:
        yield from map(_pass, runs)
        return
    done = 0
    try:
        # as of the command itself: what a worker reads has no cycles, and looking for them takes half of its time
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=gc.disable) as pool:
            for one in pool.map(_pass, runs, chunksize=CHUNK):
                yield figures.shared(one) if isinstance(one, Pass) else one
                done += 1
    except (BrokenProcessPool, OSError):  # no memory or no process for another
        yield from map(_pass, runs[done:])


def _pass(run: _Run) -> Pass | Silent:
    """What one run says, or why it says nothing."""
    node, name = _shown(run.node), _shown(run.name)
    path = run.folder / RECORDS[0]
    try:
        profile = reader.load(path) if path.is_file() else from_journal(run.folder)
    except OneLine as error:
        return Silent(node, name, str(error).removeprefix(f"{run.folder}{os.sep}"))
    if profile.origin != "measured":
        return Silent(node, name, "published by others, and not measured")
    if not profile.complete:
        return Silent(node, name, "not complete: go on with it by --resume")
    if not any(point.status == "ok" for point in profile.points):
        return Silent(node, name, "no good point")
    return figures.read(profile, node, name)


def _told(folder: Path) -> dict[str, dict[str, str]]:
    """By node and pass why nothing came of it, as `python -m bench fleet` kept it. Raises BadFile."""
    path = folder / PLAN_FILE
    if not path.is_file():
        return {}
    try:
        data = msgspec.json.decode(reader.text(path, LARGEST_PLAN_BYTES), type=_Plan)
    except msgspec.DecodeError as error:
        raise BadFile(
            f"{path}: {error}: remove it, and the nodes' folders alone are read"
        ) from error
    found: dict[str, dict[str, str]] = {}
    for node, about in data.nodes.items():
        for name, one in about.passes.items():
            reason = GONE if one.state == "measured" else printable(one.reason or one.state)
            found.setdefault(node, {})[name] = reason[:300]
    return found


def _refuse_twice(passes: Sequence[Pass]) -> None:
    """Raise BadInput where one run lies there under two names."""
    first: dict[str, Pass] = {}
    for one in passes:
        other = first.setdefault(one.print, one)
        if other is not one:
            raise BadInput(
                f"{one.node}/{one.name}: the same run as {other.node}/{other.name}: name each run once"
            )


def _shown(name: str) -> str:
    """A folder's name as a table may hold it."""
    shown = printable(name)
    if len(shown) <= LONGEST_NAME:
        return shown
    return f"{shown[:LONGEST_NAME]}~{sha256(shown.encode()).hexdigest()[:8]}"
