"""A fleet from its plan to its report: the engine in a process of its own, what it came to, and what judges it."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from types import FrameType

import msgspec

from bench.fleet import suspects
from bench.fleet.engine import Request, Told
from bench.fleet.plan import LOG_FILE, MEASURED, BadFleet, Book
from bench.timing import interrupts
from bench.timing.interrupts import INTERRUPTED, ended

ROOT = Path(__file__).parents[2]
REPORT = (sys.executable, "-m", "reports", "fleet", "{dir}", "--out", "{dir}")
"""What judges a fleet; {dir} stands for its folder."""
SLOW = 1
"""What the report exits with where a node is slow."""
CONFIRM = "confirm-"
"""Passes in which suspects are measured again begin so."""
CONNECT_SECONDS = 60.0
"""For joining a cluster, or starting one; Ray itself would wait for ever."""
LOOK_SECONDS = 0.5
"""Between looks at whether a signal has come, or that time is over."""


def run(book: Book, request: Request, confirm: bool, report: Sequence[str] = REPORT) -> int:
    """Measure what is missing of a fleet, and report on it; the exit code.

    That of the report; 2 where nothing at all was measured, which is told; 130 where a signal ended it. With `confirm`
    what the report calls slow is then measured again, and reported anew. Raises BadFleet where it cannot go on.
    """
    if code := measured(request):
        if any(found.state == MEASURED for _, found in Book.opened(book.folder).every()):
            reported(book.folder, report)
        return code
    every = Book.opened(book.folder).every()
    if not any(found.state == MEASURED for _, found in every):
        turn, found = next(((t, f) for t, f in every if f.reason), every[0])
        raise BadFleet(f"nothing was measured: {turn.node}, pass {turn.name}: {found.reason}")
    code = reported(book.folder, report)
    if not confirm or code != SLOW:
        return code
    nodes = again(Book.opened(book.folder))
    if not nodes:
        return code
    names = tuple(f"{CONFIRM}{k + 1}" for k in range(book.fleet.passes))
    if stopped := measured(replace(request, names=names, nodes=tuple(nodes))):
        return stopped
    return reported(book.folder, report)


def again(book: Book) -> list[str]:
    """Nodes to be measured again: those of confirming passes that were begun, and those that the report names."""
    begun = {turn.node for turn, _ in book.every() if turn.name.startswith(CONFIRM)}
    known = list(book.fleet.nodes)
    wanted = begun.union(suspects.named(book.folder, known))
    return [one for one in known if one in wanted]


def reported(folder: Path, report: Sequence[str]) -> int:
    """Have the fleet judged by a process of `reports`; its exit code."""
    command = [word.replace("{dir}", str(folder)) for word in report]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return code if code >= 0 else 2


def measured(request: Request) -> int:
    """Have what is missing measured by an engine: 0, or 130 where a signal ended it. Raises BadFleet."""
    folder = Path(request.folder)
    here, there = os.pipe()
    with (folder / LOG_FILE).open("ab") as log, os.fdopen(here, "rb", buffering=0) as pipe:
        # a session of its own: Ctrl-C reaches this process alone, and the engine once, from here
        engine = subprocess.Popen(
            [sys.executable, "-m", "bench.fleet.engine", str(there)],
            cwd=ROOT,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.PIPE,
            stderr=log,
            pass_fds=(there,),
            start_new_session=True,
        )
        os.close(there)
        with _signals_go_to(engine) as heard:
            try:
                assert engine.stdin is not None
                with suppress(BrokenPipeError):  # it ended; how, is told below
                    engine.stdin.write(msgspec.json.encode(request))
                    engine.stdin.close()
                error = _heard(engine, pipe.fileno(), request.address, heard)
                code = engine.wait()
            except BaseException:
                engine.kill()
                engine.wait()
                raise
    if heard:
        return INTERRUPTED
    if error is not None:
        raise BadFleet(error)
    if code:
        raise BadFleet(
            f"the cluster went away, or Ray failed ({ended(code)}): {folder / LOG_FILE} has what it said"
        )
    return 0


def _heard(
    engine: subprocess.Popen[bytes], told: int, address: str | None, heard: list[int]
) -> str | None:
    """What the engine says until it ends: an error, or None. Raises BadFleet where it does not connect."""
    begun, said, connected = monotonic(), b"", False
    while True:
        if select.select([told], [], [], LOOK_SECONDS)[0]:
            if not (more := os.read(told, 1 << 16)):
                return None
            *lines, said = (said + more).split(b"\n")
            for line in lines:
                one = msgspec.json.decode(line, type=Told)
                connected |= one.connected
                if one.error is not None:
                    return one.error
        if not connected and heard:  # within Ray, which hears no signal
            engine.kill()
        if not connected and monotonic() - begun > CONNECT_SECONDS:
            where = f"at {address}" if address else "on this machine"
            raise BadFleet(
                f"no Ray {where} within {CONNECT_SECONDS:g} s: start it by ray start --head, this machine as a part "
                "of it; ray status tells"
            )


@contextmanager
def _signals_go_to(engine: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """A signal that asks this process to end goes to the engine, and is in the list that is given.

    One that was ignored before (as under nohup) stays ignored.
    """
    asked: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        engine.send_signal(number)

    with interrupts.heard_by(hear):
        yield asked
