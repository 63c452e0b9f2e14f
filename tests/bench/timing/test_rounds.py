"""The measuring loop, with contenders and a clock that are made up: no real time is looked at."""

from __future__ import annotations

import gc

import pytest

from bench.timing import clock, rounds
from bench.timing.rounds import Contender


class Time:
    """A clock that only contenders move, and a journal of every reading and call."""

    def __init__(self):
        self.now = 0.0
        self.events = []

    def seconds(self):
        return self.now

    def nanoseconds(self):
        self.events.append("tick")
        return round(self.now * 1e9)

    def contender(self, name, cost, pass_calls=1):
        """`cost` seconds a call, or a function that gives them."""

        def run(count):
            self.events.append((name, count))
            self.now += count * (cost() if callable(cost) else cost)

        return Contender(run, pass_calls)

    def calls(self):
        """(name, calls, timed) of every call, in order: a timed one stands between the two readings of a pair."""
        readings = 0
        for event in self.events:
            if event == "tick":
                readings += 1
            else:
                yield *event, readings % 2 == 1

    def timed(self):
        """(name, calls) of every timed call."""
        return [(name, count) for name, count, timed in self.calls() if timed]


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(clock, "perf_counter_ns", time.nanoseconds)
    monkeypatch.setattr(rounds, "perf_counter", time.seconds)
    return time


def never(rows):
    """A figure of which no number of rounds is precise."""
    return [float(number % 2) for number, _ in enumerate(rows[0])]


def always(rows):
    return [1.0 for _ in rows[0]]


def run(contenders, figure=always, precision=0.01, budget=0.0, settle=0.002):
    return rounds.rounds(contenders, figure, precision, budget, settle)


def alternate(contenders, count=4, settle=0.002, **more):
    calls = rounds.calibrated(contenders, settle)
    return rounds.alternate(contenders, calls, count, settle, **more)


def test_a_block_is_timed_per_call(time):
    assert clock.seconds_each(time.contender("a", 0.25).run, 4) == 0.25
    assert time.events == ["tick", ("a", 4), "tick"]


@pytest.mark.parametrize(
    ("cost", "calls"), [(0.001, 10), (0.0015, 7), (0.0001, 100), (0.010, 1), (20.0, 1)]
)
def test_a_sample_is_as_many_calls_as_last_ten_milliseconds_or_one(time, cost, calls):
    assert clock.calls_for(time.contender("a", cost).run, 0.010) == calls


def test_a_sample_of_known_length_is_timed_after_a_quarter_of_it_or_a_pass_over_the_data(time):
    assert rounds.again(time.contender("a", 0.5), 8) == 0.5
    assert rounds.again(time.contender("b", 0.25, pass_calls=6), 8) == 0.25
    assert list(time.calls()) == [("a", 2, False), ("a", 8, True), ("b", 6, False), ("b", 8, True)]


def test_calibrating_never_makes_many_more_calls_than_the_sample(time):
    calls = clock.calls_for(time.contender("a", 1e-6).run, 0.010)
    assert sum(event[1] for event in time.events if event != "tick") <= 2 * calls


def test_every_round_times_each_contender_once_in_alternating_order(time):
    a, b, c = (time.contender(name, 0.010) for name in "abc")
    alternate([a, b, c])
    blocks = [name for name, _ in time.timed()][-12:]  # the blocks before them are the calibration
    turns = [blocks[i : i + 3] for i in range(0, len(blocks), 3)]
    assert turns == [list("abc"), list("cba")] * 2


def test_each_contender_has_blocks_of_its_own_length(time):
    samples = alternate([time.contender("a", 0.001), time.contender("b", 1.0)])
    assert samples.calls == (13, 1)  # 12.5 ms, and at least one
    assert time.timed()[-8:] == [("a", 13), ("b", 1), ("b", 1), ("a", 13)] * 2


def test_samples_pair_by_index_whatever_their_order(time):
    """Costs change with the round; row by row they must belong to the same round."""
    number = 0

    def between():
        nonlocal number
        number += 1

    a = time.contender("a", lambda: 0.010 * max(1, number))
    b = time.contender("b", lambda: 0.030 * max(1, number))
    samples = alternate([a, b], 10, between=between)
    assert samples.seconds[0] == pytest.approx([0.010 * n for n in range(1, 11)])
    assert samples.seconds[1] == pytest.approx([0.030 * n for n in range(1, 11)])


def test_what_comes_between_rounds_comes_before_every_one_outside_the_clock(time):
    alternate([time.contender("a", 0.010)], between=lambda: time.events.append(("round", 0)))
    calls = list(time.calls())
    assert calls.count(("round", 0, False)) == 4
    assert ("round", 0, True) not in calls
    after = calls[calls.index(("round", 0, False)) :]
    order = [name for name, _, timed in after if timed or name == "round"]
    assert order == ["round", "a"] * 4


def test_as_many_rounds_as_the_first_look_are_run_however_precise_or_late(time):
    assert rounds.LOOKS[0] == 12
    assert len(run([time.contender("a", 1.0)], budget=0.0).seconds[0]) == 12
    assert len(run([time.contender("a", 1e-6)], budget=1e9).seconds[0]) == 12


def test_no_more_are_run_once_the_budget_is_spent_at_a_look(time):
    """Two contenders of one second, each settled by one call: four seconds a round."""
    contenders = [time.contender("a", 1.0), time.contender("b", 1.0)]
    samples = run(contenders, never, budget=50.0)
    assert len(samples.seconds[0]) == 24


def test_it_goes_on_until_the_interval_of_the_figure_is_precise(time):
    """The first 20 rounds disagree; from then on every figure is the same."""

    def settling(rows):
        return [1.0 + 0.2 * (n % 2) if n < 20 else 1.1 for n, _ in enumerate(rows[0])]

    found = run([time.contender("a", 0.010)], settling, precision=0.05, budget=1e9)
    assert len(found.seconds[0]) == 48


def test_it_ends_with_the_last_look(time):
    samples = run([time.contender("a", 0.010)], never, budget=1e9)
    assert len(samples.seconds[0]) == rounds.LOOKS[-1]


def test_the_figure_is_given_a_row_of_seconds_per_contender(time):
    seen = []
    run(
        [time.contender("a", 0.02), time.contender("b", 0.04)],
        lambda rows: seen.append([list(r) for r in rows]) or [1.0],
    )
    assert seen == [[pytest.approx([0.02] * 12), pytest.approx([0.04] * 12)]]


@pytest.mark.parametrize(("pass_calls", "settle"), [(1, 0.002), (7, 0.0), (3, 0.5)])
def test_before_every_block_its_own_contender_runs_untimed_over_all_its_data_for_the_settling_time(
    time, pass_calls, settle
):
    cost = 0.001
    contenders = [time.contender("a", cost, pass_calls), time.contender("b", cost)]
    alternate(contenders, settle=settle, between=lambda: time.events.append(("round", 0)))
    calls = list(time.calls())
    untimed, blocks = [], 0
    for name, count, timed in calls[calls.index(("round", 0, False)) :]:
        if not timed:
            untimed += [name] * count
            continue
        own = [other for other in untimed if other != "round"]
        assert set(own) == {name}
        assert len(own) >= (pass_calls if name == "a" else 1)
        assert len(own) * cost >= settle - 1e-9
        untimed = []
        blocks += 1
    assert blocks == 2 * 4


def test_the_collector_of_garbage_rests_while_measuring_and_only_then(time):
    seen = []
    contender = Contender(
        lambda count: (seen.append(gc.isenabled()), time.contender("a", 0.01).run(count))
    )
    assert gc.isenabled()
    run([contender])
    assert not any(seen)
    assert gc.isenabled()


def test_a_contender_that_fails_leaves_the_collector_on():
    def fail(_count):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run([Contender(fail)])
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off(time):
    gc.disable()
    try:
        run([time.contender("a", 0.01)])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_best_of_a_roof_are_so_many_samples_each_long_enough(time):
    costs = iter([0.001] * 1000)
    each = rounds.best(time.contender("a", lambda: next(costs)), 3, 0.010, 0.0)
    assert each == pytest.approx([0.001] * 3)
    assert [calls for _, calls in time.timed()[-3:]] == [10, 10, 10]


def test_single_calls_are_timed_one_by_one_and_at_least_twenty(time):
    numbers = iter([0.0, *range(1, 1002)])
    found = rounds.single_calls(
        time.contender("a", lambda: float(next(numbers))), budget_seconds=0.0
    )
    assert all(calls == 1 for _, calls in time.timed())
    assert len(time.timed()) == 20
    assert found == {
        "min": 1.0,
        "p50": 10.5,
        "p90": pytest.approx(18.1),
        "p99": pytest.approx(19.81),
    }


def test_single_calls_are_at_most_a_thousand(time):
    rounds.single_calls(time.contender("a", 1e-6), budget_seconds=1e9)
    assert len(time.timed()) == 1000
