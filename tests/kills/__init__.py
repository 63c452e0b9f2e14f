"""Kill a run at a random moment and resume it, over and over: is every profile whole, and nothing lost?

Each time the command as a user gives it, `pytest --benchmark-only`, is begun in a process of its own, which is killed
at a moment chosen by chance between its start and its end, and then resumed. The profile must be complete; each planned
point must be in it once; what was in the journal when the process died must be in it as it was. A run killed before its
journal began is begun anew. Processes are forked from one that has imported what they need, which measures nothing.
`--cheap` gives each run made-up roofs and no report, so that most of its time is points and writing.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from bench import threads

threads.settle()

ROOT = Path(__file__).parents[2]
INTERRUPTED = 130


def prepare() -> None:
    """Import what a run needs, for the processes forked from this one; no thread may be started here."""
    import bench.run
    import reports.build

    assert bench.run
    assert reports.build


def begin(options: list[str], log: Path, *, cheap: bool) -> int:
    """Start `pytest --benchmark-only` with these options. Returns the process."""
    process = os.fork()
    if process:
        return process
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 99
    try:
        os.chdir(ROOT)
        import pytest

        if cheap:
            from tests.bench import cheap_roofs

            patch = pytest.MonkeyPatch()
            cheap_roofs.make(patch)
            patch.setattr("bench.measure.SAMPLE_SECONDS", 0.0005)
            patch.setattr("reports.build.build", lambda *_: None)
        code = int(pytest.main(["--benchmark-only", "-q", *options]))
    finally:
        os._exit(code)


def end(process: int) -> int:
    """How it ended: its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def once(
    folder: Path, suite: str, after_seconds: float, number: signal.Signals, *, cheap: bool
) -> tuple[str, int]:
    """One kill and one resumption. Returns what went wrong, or nothing, and how many points the kill left."""
    from bench import records

    run, log = folder / "run", folder / "log.txt"
    anew = [f"--suite={suite}", f"--out={run}"]
    process = begin(anew, log, cheap=cheap)
    time.sleep(after_seconds)
    with suppress(ProcessLookupError):
        os.kill(process, number)
    code = end(process)
    if code not in (0, -number, INTERRUPTED if number != signal.SIGKILL else 0):
        return f"the run ended with {code}: {tail(log)}", 0
    try:
        left = records.from_journal(run)
    except records.BadProfile:
        left = None
    code = end(begin([f"--resume={run}"] if left else anew, log, cheap=cheap))
    if code != 0:
        return f"going on ended with {code}: {tail(log)}", 0
    profile = records.load(run / "profile.json")
    keys = [point.key for point in profile.points]
    for wrong, what in (
        (not profile.complete, "it is not complete"),
        (sorted(keys) != sorted(planned(suite)), f"it holds {len(keys)} points"),
        (left is not None and not profile.resumed, "it does not say that it was resumed"),
        (left is not None and profile.points[: len(left.points)] != left.points, "points changed"),
        (left is not None and not set(left.roofs) <= set(profile.roofs), "roofs were lost"),
    ):
        if wrong:
            return what, 0
    return "", len(left.points) if left else 0


def planned(suite: str) -> list[str]:
    """Keys of a suite's points."""
    from bench import suite as suites

    return [point.key for point in suites.load(suite, "cpu", threads.available(), 0).points]


def tail(log: Path) -> str:
    """The end of what a run said."""
    return log.read_text(errors="replace")[-1500:]
