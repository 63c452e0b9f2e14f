"""Kill a run at a random moment and resume it, over and over: is every profile whole, and nothing lost?

Each time the command as a user gives it, `pytest --benchmark-only`, is begun in a process of its own, which is killed
at a moment chosen by chance between its start and its end, and then resumed. The profile must be complete; it must
hold the points of an undisturbed run, each once, with the same statuses; what was in the journal when the process
died must be in it as it was, and points between visits go on with those that they had; and the page must be whole. A
run killed before its journal began is begun anew. Processes are forked from one that has imported what they need,
which measures nothing. They share a machine's lock of their own, which every kill leaves behind.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.device import threads
from bench.profile import reader
from bench.profile.errors import BadFile
from bench.profile.journal import from_journal

threads.settle()

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.profile.records import Point, Profile

ROOT = Path(__file__).parents[2]
INTERRUPTED = 130
KINDS = ("whole", "short", "cheap")
"""Of runs: as users have them; with samples of half a millisecond, so that more of their time is beginning, ending and
writing; and with made-up roofs and no report besides.
"""
MOMENT = 0.05
"""Seconds between the first signal and the second."""

OVER = (0, 1)
"""A run is over with 1 where a point failed or lies above its roof, as on a busy machine; statuses are compared."""


@dataclass(frozen=True)
class Kill:
    """One of them: when the signal came, what the run was doing, the points that were there, and what went wrong."""

    signal: str
    after_seconds: float
    during: str
    left: int
    wrong: str


def prepare(suite: str) -> None:
    """Import what a run of the suite needs, for the processes forked from this one; no thread may be started here."""
    for name in (
        "bench.session.run",
        "bench.device.cpu",
        "reports.page.build",
        "rich.console",
        "hypothesis",
    ):
        importlib.import_module(name)
    from bench.profile import suite as suites
    from kernels import implementations
    from kernels.case import Unavailable

    plan = suites.load(suite, "cpu", threads.available(), 0)
    for name in {point.implementation for point in plan.points}:
        with suppress(Unavailable):
            implementations.load(name)
        if name == "torch_compile" and threads.available() == 1:  # else it starts processes
            importlib.import_module("torch._inductor.compile_fx")


def begin(options: list[str], folder: Path, *, kind: str) -> int:
    """Start `pytest --benchmark-only` with these options, its log and its lock in the folder. Returns the process."""
    process = os.fork()
    if process:
        return process
    with (folder / "log.txt").open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    code = 99
    try:
        os.chdir(ROOT)
        import pytest

        patch = pytest.MonkeyPatch()
        patch.setattr("bench.session.lock.PATH", folder / "machine.lock")
        if kind != "whole":
            patch.setattr("bench.timing.clock.SAMPLE_SECONDS", 0.0005)
            patch.setattr("bench.timing.rounds.SETTLE_SECONDS", 0.0001)
        if kind == "cheap":
            from tests.bench import cheap_roofs

            cheap_roofs.make(patch)
            patch.setattr("reports.page.build.build", lambda *_: None)
        code = int(pytest.main(["--benchmark-only", "-q", *options]))
    except KeyboardInterrupt:  # before the command began, where Python ends alike
        code = INTERRUPTED
    finally:
        os._exit(code)


def end(process: int) -> int:
    """How it ended: its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def undisturbed(folder: Path, suite: str, *, kind: str) -> tuple[float, dict[str, str]]:
    """A run that nobody kills: how many seconds it takes, and the status of each of its points."""
    began, run = time.monotonic(), folder / "run"
    code = end(begin([f"--suite={suite}", f"--out={run}"], folder, kind=kind))
    lasts = time.monotonic() - began
    if code not in OVER:
        msg = f"the undisturbed run ended with {code}: {tail(folder)}"
        raise RuntimeError(msg)
    profile = reader.load(run / "profile.json")
    assert profile.complete
    return lasts, {point.key: point.status for point in profile.points}


def once(
    folder: Path,
    suite: str,
    points: dict[str, str],
    after_seconds: float,
    name: str,
    *,
    kind: str,
) -> Kill | float:
    """One kill, by the signal of this name, and one resumption, of a run that has these points.

    Or the seconds that the run took, where it was over before the signal.
    """
    run = folder / "run"
    anew = [f"--suite={suite}", f"--out={run}"]
    began = time.monotonic()
    process = begin(anew, folder, kind=kind)
    while time.monotonic() - began < after_seconds:
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(min(0.05, max(0.0, began + after_seconds - time.monotonic())))
    lasted = time.monotonic() - began
    number = signal.SIGINT if name == "TWICE" else signal.Signals[f"SIG{name}"]
    os.kill(process, number)
    if name == "TWICE":
        time.sleep(MOMENT)
        os.kill(process, number)
    code = end(process)
    if code in OVER:
        return lasted
    try:
        left = from_journal(run)
    except BadFile:
        left = None

    def told(wrong: str) -> Kill:
        return Kill(
            name,
            after_seconds,
            _during(left, points),
            len(left.points) if left else 0,
            wrong,
        )

    if code not in (-number, INTERRUPTED if number != signal.SIGKILL else -number):
        return told(f"the run ended with {code}: {tail(folder)}")
    reported = (run / "profile.json").exists()
    if code == INTERRUPTED and name != "TWICE" and left and left.points and not reported:
        return told("what there was was not reported")
    code = end(begin([f"--resume={run}"] if left else anew, folder, kind=kind))
    if code not in OVER:
        return told(f"going on ended with {code}: {tail(folder)}")
    return told(_lost(left, run, points, kind=kind))


def _lost(left: Profile | None, run: Path, points: dict[str, str], *, kind: str) -> str:
    """What the resumed profile lacks of an undisturbed one, or of what the kill left; or nothing."""
    profile = reader.load(run / "profile.json")
    found = [(point.key, point.status) for point in profile.points]
    for wrong, what in (
        (not profile.complete, "it is not complete"),
        (sorted(found) != sorted(points.items()), f"its points are {found}"),
        (left is not None and not profile.resumed, "it does not say that it was resumed"),
        (left is not None and not _kept(left.points, profile.points), "points changed"),
        (left is not None and not set(left.roofs) <= set(profile.roofs), "roofs were lost"),
        (kind != "cheap" and not _is_whole(run / "report.html"), "its page is not whole"),
    ):
        if wrong:
            return what
    return ""


def _kept(left: Sequence[Point], found: Sequence[Point]) -> bool:
    """Whether every point that was whole is as it was, and every other one goes on with the visits that it had."""
    return all(
        after == before
        if before.over
        else (after.key, after.seconds[: len(before.seconds)]) == (before.key, before.seconds)
        for before, after in zip(left, found, strict=False)
    )


def _is_whole(page: Path) -> bool:
    return page.exists() and page.read_bytes().rstrip().endswith(b"</html>")


def _during(left: Profile | None, points: dict[str, str]) -> str:
    """What a run was doing when it died, by what its journal says."""
    if left is None:
        return "start"
    if not any(roof.kind == "call" for roof in left.roofs):
        return "roofs"
    if len(left.points) < len(points) or not all(point.over for point in left.points):
        return "points"
    return "report" if left.complete else "last sweep"


def tail(folder: Path) -> str:
    """The end of what a run said."""
    return (folder / "log.txt").read_text(errors="replace")[-1500:]
