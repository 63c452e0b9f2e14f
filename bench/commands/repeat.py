"""`python -m bench repeat`: several runs of one suite, to see what moves between them; of two sides in turns.

A run is a process of its own, as `pytest --benchmark-only` starts it, so that nothing is warm from the one before. The
plan stands in `repeat.json` in the folder, what the runs said in `log.txt`; the runs lie in folders 1 to N, where two
sides are measured under `before` and `after`.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from bench.profile.errors import BadFile, OneLine

HELP = "several runs of a suite and what moves between them; of two checkouts or environments, in turns"
EXAMPLES = """before is this checkout, or that of --against; after is this checkout, with --python and --env where those
are given. Runs go before, after, after, before, before, ... so that a machine that drifts favours neither. Three runs a
side are the least that a gate takes.

examples:
  python -m bench repeat 5                                  five runs of the quick suite, and what moves between them
  python -m bench repeat 5 --against ../main                another checkout before, this one after
  python -m bench repeat 5 --env MALLOC_ARENA_MAX=1         the same code, with a variable set after
  python -m bench repeat 7 --resume DIR                     two runs more of what was planned as five
"""
MEASURES_HERE = False
"""Nothing is measured in this process: it loads no library, and runs find the environment as it was given."""

ROOT = Path(__file__).parents[2]
PLAN_FILE, LOG_FILE = "repeat.json", "log.txt"
LEAST, MOST = 2, 100
"""Runs of a side."""
BAD_USAGE = 2
"""Exit code of a run that could not begin, or not go on."""
ADVISED_PERCENT = 5
"""Of the gate that is named at the end."""


class BadPlan(OneLine):
    """What cannot be planned, or not begun; the message is one line with the mend."""


@dataclass(frozen=True)
class Side:
    """Runs to be compared with those of another side: `name` is empty where there is no other.

    checkout   whose suite, implementations and code measure
    variables  what is set in the environment of its runs
    """

    name: str = ""
    checkout: str = str(ROOT)
    python: str = sys.executable
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How often each side is measured, the options that a new run is given, and those that a resumed one is, too."""

    runs: int
    options: tuple[str, ...]
    selected: tuple[str, ...]
    sides: tuple[Side, ...]

    def turns(self) -> Iterator[tuple[Side, Path]]:
        """Every run in its turn, A B B A A B B A, and its folder within the plan's: a steady drift favours neither."""
        for number in range(1, self.runs + 1):
            for side in self.sides if number % 2 else self.sides[::-1]:
                yield side, Path(side.name, str(number))


def add_options(parser: argparse.ArgumentParser) -> None:
    """How often, of what, and against what."""
    add = parser.add_argument
    add("runs", type=int, nargs="?", metavar="N", help=f"runs of each side, {LEAST} to {MOST}")
    add("--suite", metavar="NAME|FILE", help="of each run (default: as pytest has it)")
    add(
        "--implementation",
        action="append",
        metavar="NAME|FILE",
        help="these in place of the suite's (repeatable); several are visited in turns within each run",
    )
    add("--device", help="cpu, cuda, or all (default: every device there is)")
    add("--seed", type=int, metavar="N", help="of weights, inputs and the order of points")
    add("-k", metavar="EXPRESSION", help="the points whose name matches, as pytest selects them")
    add("--out", type=Path, metavar="DIR", help="default: a new folder under reports/runs")
    add("--resume", type=Path, metavar="DIR", help="measure what is missing; a larger N adds runs")
    add("--against", metavar="CHECKOUT", help="another checkout of this suite, measured as before")
    add("--python", metavar="PYTHON", help="what runs the side after")
    add(
        "--env",
        action="append",
        metavar="NAME=VALUE",
        help="set for the side after (repeatable)",
    )


def run(given: argparse.Namespace) -> int:
    """Measure every run that is missing, then say what moves between them. 1 where a run failed."""
    from bench.session import lock
    from bench.timing.interrupts import INTERRUPTED

    if holder := lock.held_by():
        raise lock.Busy(f"{holder} measures on this machine: wait for it, or end it")
    folder, plan = _resumed(given) if given.resume else _begun(given)
    code = _measured(folder, plan)
    if code != INTERRUPTED:
        code = max(code, _reported(folder, plan))
    if any(_missing(folder / where) for _, where in plan.turns()):
        again = shlex.join(["python", "-m", "bench", "repeat", "--resume", str(folder)])
        print(f"what is missing is measured by: {again}")
    return code


def _begun(given: argparse.Namespace) -> tuple[Path, Plan]:
    """A new plan and its folder, made. Raises BadPlan, BadOutput."""
    from bench.session.folder import BadOutput, new_folder

    selected = () if given.k is None else (f"-k={given.k}",)
    plan = Plan(_count(given.runs), tuple(_options(given)), selected, tuple(_sides(given)))
    folder = (given.out or new_folder("repeat")).absolute()
    if any((folder / name).exists() for name in (PLAN_FILE, "profile.json", "journal.jsonl")):
        raise BadOutput(f"{folder}: it holds runs already: choose another --out, or --resume it")
    _keep(folder, plan)
    return folder, plan


def _resumed(given: argparse.Namespace) -> tuple[Path, Plan]:
    """The plan that a folder holds, with more runs where more are asked for. Raises BadPlan, BadFile, BadOutput."""
    import msgspec

    own = ("suite", "implementation", "device", "seed", "k", "out", "against", "python", "env")
    for name in (name for name in own if getattr(given, name) is not None):
        raise BadPlan(f"--{name} is given with --resume: what is resumed keeps its own plan")
    folder = given.resume.absolute()
    try:
        plan = msgspec.json.decode((folder / PLAN_FILE).read_bytes(), type=Plan)
    except OSError as error:
        raise BadFile(
            f"{folder / PLAN_FILE}: cannot be read: {error.strerror}: name a folder that repeat made"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"{folder / PLAN_FILE}: {error}: begin anew in another folder") from error
    if given.runs is None:
        return folder, plan
    if _count(given.runs) < plan.runs:
        raise BadPlan(
            f"{given.runs} runs are asked for, and {plan.runs} were planned: ask for more"
        )
    plan = replace(plan, runs=given.runs)
    _keep(folder, plan)
    return folder, plan


def _count(runs: int | None) -> int:
    if runs is None or not LEAST <= runs <= MOST:
        asked = "none" if runs is None else runs
        raise BadPlan(f"how many runs: {asked} given: give {LEAST} to {MOST}")
    return runs


def _options(given: argparse.Namespace) -> Iterator[str]:
    """What every new run is asked for; a file is where it is, whatever folder a run is started in."""

    def place(name: str) -> str:
        return str(Path(name).resolve()) if name.endswith((".toml", ".py")) else name

    if given.suite is not None:
        yield f"--suite={place(given.suite)}"
    yield from (f"--implementation={place(one)}" for one in given.implementation or ())
    for name in ("device", "seed"):
        if (value := getattr(given, name)) is not None:
            yield f"--{name}={value}"


def _sides(given: argparse.Namespace) -> Iterator[Side]:
    """One without a name, or before and after where something is to differ. Raises BadPlan."""
    if given.against is None and given.python is None and given.env is None:
        yield Side()
        return
    before, after = Side("before"), Side("after")
    if given.against is not None:
        checkout = Path(given.against).resolve()
        if not (checkout / "conftest.py").is_file() or not (checkout / "bench").is_dir():
            raise BadPlan(f"--against {checkout}: no checkout of this suite lies there")
        before = replace(before, checkout=str(checkout))
    if given.python is not None:
        found = shutil.which(given.python)
        if found is None:
            raise BadPlan(f"--python {given.python}: no such program")
        after = replace(after, python=str(Path(found).absolute()))  # a link within a venv stays one
    pairs = [one.partition("=") for one in given.env or ()]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise BadPlan(f"--env {name}: give NAME=VALUE")
    yield before
    yield replace(after, variables={name: value for name, _, value in pairs})


def _keep(folder: Path, plan: Plan) -> None:
    """The plan in its folder, whole or not at all. Raises BadOutput."""
    import msgspec

    from bench.session.folder import BadOutput

    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{PLAN_FILE}"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(plan)) + b"\n")
        draft.replace(folder / PLAN_FILE)
    except OSError as error:
        raise BadOutput(
            f"{folder}: cannot be written: {error.strerror}: choose another --out"
        ) from error


def _measured(folder: Path, plan: Plan) -> int:
    """Every run that is not complete, in its turn: 0, 1 where one failed, 130 where a signal ended it.

    Raises BadPlan where the first run that a side tries cannot begin: no other of it would.
    """
    from bench.commands import _child_run as child_run
    from bench.timing import duration, interrupts

    turns = list(plan.turns())
    tried: set[str] = set()
    failed, took = False, 0.0
    with child_run.signals_go_to(child_run.Child()) as child:
        for place, (side, where) in enumerate(turns, 1):
            option, name = _missing(folder / where), where.as_posix()
            left = f", about {duration.told(took * (len(turns) - place + 1))} left" if took else ""
            _tell(f"run {place} of {len(turns)}: {name}{left if option else ', complete'}")
            if option is None:
                continue
            begun = option.startswith("--resume")
            options = [*(() if begun else plan.options), *plan.selected, option]
            command = [side.python, "-m", "pytest", "--benchmark-only", *options]
            before = monotonic()
            where_from, log = Path(side.checkout), folder / LOG_FILE
            try:
                ended = child_run.measured(
                    command, where_from, side.variables, log, child, _tell_within
                )
            except BrokenPipeError:
                raise
            except OSError as error:
                raise BadPlan(
                    f"{name}: {side.python} in {side.checkout}, told in {log}: cannot be run: {error.strerror}"
                ) from error
            if child.asked:
                return interrupts.INTERRUPTED
            took, told = monotonic() - before, _told(folder / where)
            with suppress(OSError):
                (folder / where).rmdir()  # claimed, and nothing was measured
            if ended.code == BAD_USAGE and told is None and side.name not in tried:
                _forget_nothing(folder, turns)
                raise BadPlan(f"{name}: {ended.why}")
            tried.add(side.name)
            failed |= bool(ended.code)
            why = f": {interrupts.ended(ended.code)}: {ended.why}" if ended.code else ""
            _tell_within(f"{told or 'nothing was measured'}, in {duration.told(took)}{why}")
    return int(failed)


def _tell(line: str) -> None:
    print(line, flush=True)


def _tell_within(line: str) -> None:
    _tell(f"    {line}")


def _missing(folder: Path) -> str | None:
    """The option by which a run is measured, or gone on with; None where it is complete."""
    from bench.profile.journal import from_journal

    try:
        return None if from_journal(folder).complete else f"--resume={folder}"
    except BadFile:  # nothing yet; or what the run itself refuses, and says why
        return f"--out={folder}"


def _told(folder: Path) -> str | None:
    """How many points are good and how many are not, in words; None where nothing was measured."""
    from bench.profile.journal import from_journal

    try:
        profile = from_journal(folder)
    except BadFile:
        return None
    counts = Counter({"ok": 0, "failed": 0}) + Counter(point.status for point in profile.points)
    words = {"ok": "good"}
    told = ", ".join(f"{count} {words.get(status, status)}" for status, count in counts.items())
    return f"{told or 'no point'}{'' if profile.complete else ', not complete'}"


def _forget_nothing(folder: Path, turns: list[tuple[Side, Path]]) -> None:
    """Where no run has begun, the folder is left as it was: the same command, mended, may use it."""
    if any((folder / where).exists() for _, where in turns):
        return
    for name in (PLAN_FILE, LOG_FILE):
        (folder / name).unlink(missing_ok=True)
    for made in (*{(folder / where).parent for _, where in turns}, folder):
        with suppress(OSError):
            made.rmdir()


def _reported(folder: Path, plan: Plan) -> int:
    """What moves between the runs of each side, by a process of `reports`; and which gate to ask. 1 where it fails."""
    failed = False
    for side in plan.sides:
        there = [folder / where for one, where in plan.turns() if one == side]
        done = [str(one) for one in there if _told(one)]
        if len(done) < LEAST:
            continue
        command = [sys.executable, "-m", "reports", "repeatability", *done]
        failed |= bool(subprocess.run(command, cwd=ROOT, check=False).returncode)
    if len(plan.sides) > 1:
        places = [str(folder / side.name) for side in plan.sides]
        gate = ["python", "-m", "reports", "compare", *places]
        gate += ["--fail-if-slower", str(ADVISED_PERCENT)]
        before, after = plan.sides
        unlike = (before.python, before.variables) != (after.python, after.variables)
        print(f"\nslower or not: {shlex.join([*gate, *['--unlike'] * unlike])}")
    else:
        print(f"\nthe report again: python -m reports repeatability {shlex.quote(str(folder))}")
    return int(failed)
