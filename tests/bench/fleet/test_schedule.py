"""Who measures when: rounds one after the other, addresses beside one another, nodes of one address in turns."""

from __future__ import annotations

import pytest

from bench.fleet import cluster, plan, schedule
from bench.fleet.cluster import Host, Lost
from bench.fleet.plan import BadFleet, Book, Fleet, Pass
from bench.fleet.turn import Ask


class NoTable:
    """Tells nothing."""

    def begin(self, _turn):
        pass

    end = show = lambda *_: None


class Hand:
    """A worker of a node that does not exist."""

    gone: list[str] = []  # noqa: RUF012

    def __init__(self, host):
        self.host = host

    def ask(self, method):
        return (method, self.host.host)

    def let_go(self):
        self.gone.append(self.host.host)


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """Nodes a and c of one address, b of another; each turn lasts as many answers as `lasts` says, and notes itself."""

    class Made:
        said: list[str] = []  # noqa: RUF012
        lasts: dict[str, int] = {}  # noqa: RUF012
        lost: dict[str, Lost] = {}  # noqa: RUF012
        hosts = {n: Host(n, n, where, 1, 0) for n, where in (("a", "1"), ("b", "2"), ("c", "1"))}  # noqa: RUF012
        book = Book(tmp_path, Fleet("s", 2, 60.0))

        def run(self, asked=lambda: None):
            rounds = plan.rounds(list(self.hosts), ["1", "2"])
            schedule.run(self.book, rounds, lambda: self.hosts, "".join, NoTable(), asked)

    made = Made()
    made.said.clear()
    made.lost.clear()
    Hand.gone.clear()
    made.book.fleet = plan.planned(made.book.fleet, {n: (n, {}) for n in made.hosts})

    def measuring(_hand, job, line):
        line.granted = True
        made.said.append(job)
        for number in range(made.lasts.get(job, 1)):
            yield Ask((job, number), 60.0)
            if job in made.lost:
                raise made.lost[job]
        made.said.append(f"-{job}")
        return Pass("measured")

    monkeypatch.setattr(schedule, "measuring", measuring)
    monkeypatch.setattr(schedule, "Hand", Hand)
    monkeypatch.setattr(cluster, "ready", lambda refs, _seconds: refs)
    monkeypatch.setattr(cluster, "answer", lambda _: None)
    monkeypatch.setattr(cluster, "gone", lambda: False)
    return made


def test_addresses_go_beside_one_another_and_the_second_pass_waits_for_the_whole_first(fleet):
    fleet.lasts = {"b1": 5, "a2": 3}
    fleet.run()
    assert fleet.said[:3] == ["a1", "b1", "-a1"]
    assert fleet.said.index("-b1") > fleet.said.index("-c1") > fleet.said.index("c1")
    first, second = fleet.said[:6], fleet.said[6:]
    assert {one.lstrip("-") for one in first} == {"a1", "b1", "c1"}
    assert [one for one in second if not one.startswith("-")] == ["b2", "c2", "a2"]
    assert sorted(Hand.gone) == ["a", "a", "b", "b", "c", "c"]
    assert all(found.state == "measured" for _, found in fleet.book.every())


def test_one_that_is_lost_is_a_row_and_the_others_go_on(fleet):
    fleet.lost = {"a1": Lost("dead", "its node died\n")}
    fleet.run()
    found = {turn.node + turn.name: found for turn, found in fleet.book.every()}
    assert (found["a1"].state, found["a1"].reason) == ("dead", r"its node died\n")
    assert {one.state for name, one in found.items() if name != "a1"} == {"measured"}


def test_a_node_that_is_not_there_is_dead_until_it_is(fleet):
    there = fleet.hosts
    fleet.hosts = {name: host for name, host in there.items() if name != "b"}
    schedule.run(
        fleet.book, plan.rounds("abc", "12"), lambda: fleet.hosts, "".join, NoTable(), lambda: None
    )
    assert fleet.book.found(plan.Turn("b", "2")).state == "dead"
    fleet.hosts = there
    fleet.said.clear()
    fleet.run()
    assert fleet.said == ["b1", "-b1", "b2", "-b2"]


def test_a_cluster_that_is_gone_ends_the_fleet_and_no_row_says_that_a_node_died(fleet, monkeypatch):
    monkeypatch.setattr(cluster, "gone", lambda: True)
    fleet.lost = {"a1": Lost("dead", "its owner has died")}
    with pytest.raises(BadFleet):
        fleet.run()
    assert {found.state for _, found in fleet.book.every()} == {"waiting"}
    assert Hand.gone == ["a", "b"]


def test_a_signal_stops_what_measures_and_keeps_what_came(fleet):
    fleet.lasts = {"b1": 100}
    fleet.run_until = iter([None] * 3 + ["SIGINT"] * 9)
    with pytest.raises(schedule.Stopped):
        fleet.run(lambda: next(fleet.run_until))
    states = {turn.node + turn.name: found.state for turn, found in fleet.book.every()}
    assert states["a1"] == "measured"
    assert states["b1"] == "waiting"
    assert "b" in Hand.gone


def test_an_answer_that_does_not_come_is_what_was_said_of_it(fleet, monkeypatch):
    def measuring(_hand, _job, _line):
        yield Ask("never", 0.0, Lost("hung", "no answer"))

    monkeypatch.setattr(schedule, "measuring", measuring)
    monkeypatch.setattr(cluster, "ready", lambda *_: [])
    fleet.run()
    assert {found.state for _, found in fleet.book.every()} == {"hung"}
