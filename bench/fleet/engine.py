"""The process that is in the cluster: Ray's threads, its noise, and its sudden end stay in it.

`python -m bench.fleet.engine DESCRIPTOR` reads what to do from standard input. On the descriptor it says that it is
connected, or in one line why it cannot go on; what Ray prints goes to standard error, and progress to standard output.
"""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec

from bench.fleet import cluster, plan, schedule
from bench.fleet.cluster import Host
from bench.fleet.plan import BadFleet, Book, Pass, Turn
from bench.fleet.table import Table
from bench.fleet.turn import Job
from bench.profile.errors import OneLine
from bench.timing.interrupts import INTERRUPTED, SIGNALS

BAD_USAGE = 2


@dataclass(frozen=True)
class Request:
    """What an engine is to do with the fleet in a folder.

    names   of the passes to be made
    nodes   of these alone; all where there are none
    begin, resume  what a worker runs, as `bench.fleet.turn.Job` has it
    """

    folder: str
    address: str | None
    labels: dict[str, str]
    checkout: str
    begin: tuple[str, ...]
    resume: tuple[str, ...]
    names: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    busy_seconds: float = 60.0
    reply_seconds: float = 60.0


@dataclass(frozen=True)
class Told:
    """What an engine says to the process that started it."""

    connected: bool = False
    error: str | None = None


class _State:
    """Of this process, as signals are."""

    asked: str | None = None


def main(request: Request, tell: TextIO, out: TextIO) -> int:
    """Measure what is missing. 0 when every turn was tried, 2 where it cannot go on, 130 where a signal ended it."""

    def say(told: Told) -> None:
        tell.write(msgspec.json.encode(told).decode() + "\n")
        tell.flush()

    try:
        with cluster.joined(request.address):
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, _hear)
            say(Told(connected=True))
            measure(request, out)
    except schedule.Stopped:
        return INTERRUPTED
    except OneLine as error:
        say(Told(error=str(error)))
        return BAD_USAGE
    return 0


def measure(request: Request, out: TextIO) -> None:
    """Find the nodes, and have each measure what is missing of it. Raises BadFleet, schedule.Stopped."""
    book = Book.opened(Path(request.folder))
    found = cluster.by_name(cluster.hosts(request.labels))
    if not book.fleet.nodes:
        if not found:
            wanted = ", ".join(f"{k}={v}" for k, v in request.labels.items())
            raise BadFleet(
                f"no node of the cluster has {wanted or 'a CPU to give'}: see ray status, ray start --labels"
            )
        there = {name: (host.address, host.labels) for name, host in found.items()}
        book.fleet = plan.planned(book.fleet, there)
        book.keep()
    nodes = request.nodes or tuple(book.fleet.nodes)
    rounds = plan.rounds(nodes, request.names)
    for turn in (turn for one in rounds for turn in one):
        if turn.name not in book.fleet.nodes[turn.node].passes:
            book.note(turn, Pass())
    suite = book.folder / plan.SUITE_FILE
    text = suite.read_bytes() if suite.is_file() else None
    ids = {name: host.id for name, host in found.items()}

    def there_now() -> Mapping[str, Host]:
        """Nodes by the names that they were found by, though another one of the same name may be gone."""
        hosts = cluster.hosts(request.labels)
        by_id = {host.id: host for host in hosts}
        same = {name: by_id[one] for name, one in ids.items() if one in by_id}
        return {**cluster.by_name(hosts), **same}

    def job(turn: Turn) -> Job:
        return Job(
            f"rnn-roofline-fleet-{book.fleet.id}-{turn.node}-{turn.name}",
            request.checkout,
            request.begin,
            request.resume,
            text,
            book.place(turn),
            book.fleet.limit_seconds,
            request.busy_seconds,
            request.reply_seconds,
        )

    parent = os.getppid()

    def asked() -> str | None:
        return _State.asked or (None if os.getppid() == parent else "the command is gone")

    table = Table(book, out)
    try:
        schedule.run(book, rounds, there_now, job, table, asked)
    finally:
        table.close()


def _hear(number: int, _frame: object) -> None:
    if _State.asked:
        os._exit(INTERRUPTED)  # asked twice: Ray ends the workers of a process that is gone
    _State.asked = signal.Signals(number).name


if __name__ == "__main__":
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as pipe:
        code = main(msgspec.json.decode(sys.stdin.buffer.read(), type=Request), pipe, terminal)
    os._exit(code)  # what Ray does at the end of a process may hang where its head is gone
