"""Who measures when: round after round; at once on different addresses, one after the other on one."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from bench.fleet import cluster
from bench.fleet.cluster import Hand, Host, Lost, Unreachable
from bench.fleet.plan import DEAD, BadFleet, Book, Pass, Round, Turn
from bench.fleet.table import Table
from bench.fleet.turn import Ask, Job, Line, Turning, measuring
from bench.fleet.worker import GRACE_SECONDS

LOOK_SECONDS = 0.5
"""Between looks at limits of time, and at whether a signal has come."""


class Stopped(Exception):
    """A signal has asked for the end; every worker is gone, and what came is kept."""


@dataclass
class _Running:
    """A turn that goes on."""

    turn: Turn
    hand: Hand
    turning: Turning
    line: Line
    ask: Ask
    due: float


def run(
    book: Book,
    rounds: list[Round],
    there: Callable[[], Mapping[str, Host]],
    job: Callable[[Turn], Job],
    table: Table,
    asked: Callable[[], str | None],
) -> None:
    """Measure every turn of these rounds that is not measured; what came of each is noted when it did.

    `there` says which nodes are in the cluster, at the beginning of each round. Raises Stopped, BadFleet.
    """
    for one in book.left(rounds):
        hosts = there()
        queues: dict[str, deque[Turn]] = {}
        for turn in one:
            if turn.node in hosts:
                queues.setdefault(hosts[turn.node].address, deque()).append(turn)
            else:
                _over(book, table, turn, Pass(DEAD, "it is not in the cluster any more"))
        running: dict[str, _Running] = {}
        try:
            while running or any(queues.values()):
                if asked():
                    raise Stopped
                for address, queue in queues.items():
                    if queue and address not in running:
                        begun = _begun(queue.popleft(), hosts, job, table)
                        running[address] = begun
                _go_on(running, book, table)
                table.show({each.turn: each.line.text for each in running.values()})
        finally:
            _end(list(running.values()))


def _begun(
    turn: Turn, hosts: Mapping[str, Host], job: Callable[[Turn], Job], table: Table
) -> _Running:
    hand, line = Hand(hosts[turn.node]), Line()
    turning = measuring(hand, job(turn), line)
    table.begin(turn)
    first = next(turning)
    return _Running(turn, hand, turning, line, first, monotonic() + first.seconds)


def _go_on(running: dict[str, _Running], book: Book, table: Table) -> None:
    """Wait a little, and let every turn that has its answer, or waits for none any more, go on."""
    by_ref = {
        each.ask.ref: address for address, each in running.items() if each.ask.ref is not None
    }
    for ref in cluster.ready(list(by_ref), LOOK_SECONDS):
        _step(running, by_ref[ref], book, table, partial(cluster.answer, ref))
    for address, each in list(running.items()):
        if monotonic() >= each.due:
            _step(running, address, book, table, partial(_in_place_of_one, each.ask.late))


def _in_place_of_one(late: Lost | None) -> None:
    """Raises Lost where there should have been an answer."""
    if late is not None:
        raise late


def _step(
    running: dict[str, _Running],
    address: str,
    book: Book,
    table: Table,
    answer: Callable[[], Any],
) -> None:
    """Give a turn its answer, or what came in place of one; note what came of it where that was the last."""
    each = running[address]
    try:
        each.ask = _next(each.turning, answer)
    except StopIteration as end:
        found: Pass = end.value
    except (Lost, Unreachable) as error:
        found = Pass(getattr(error, "state", DEAD), str(error))
        if found.state == DEAD and cluster.gone():
            raise BadFleet(cluster.GONE) from error
    else:
        each.due = monotonic() + each.ask.seconds
        return
    del running[address]
    each.hand.let_go()
    _over(book, table, each.turn, found)


def _next(turning: Turning, answer: Callable[[], Any]) -> Ask:
    try:
        given = answer()
    except (Lost, Unreachable) as error:
        return turning.throw(error)
    return turning.send(given)


def _over(book: Book, table: Table, turn: Turn, found: Pass) -> None:
    book.note(turn, found)
    table.end(turn, book.found(turn))


def _end(left: list[_Running]) -> None:
    """Ask what still measures to end in order, then let every worker go."""
    with suppress(Exception):  # of Ray, which may be gone itself
        stops = [each.hand.ask("stop") for each in left if each.line.granted]
        end = monotonic() + GRACE_SECONDS + 5
        while stops and monotonic() < end:
            over = cluster.ready(stops, LOOK_SECONDS)
            stops = [one for one in stops if one not in over]
    for each in left:
        with suppress(Exception):
            each.hand.let_go()
