"""The measuring loop: rounds in which a step and the probes of its roofs take turns. No I/O.

The machine's speed drifts, so only samples taken side by side are compared. A round times one block of every contender,
in alternating order; each block is preceded by untimed calls over its own data, until the caches hold what that
contender leaves there and the other side's thread pool has stopped spinning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from time import perf_counter

from bench.profile import stats
from bench.timing import clock as cpu_clock
from bench.timing.clock import Clock, undisturbed

SPARE = 1.25
"""How much longer a block is planned, so that it is not too short when the machine speeds up a little."""

SETTLE_SECONDS = 0.002
"""Least length of the untimed calls before it, where torch and numba share one thread pool."""

SETTLE_SECONDS_TWO_POOLS = 0.020
"""The most, where each has its own: GNU OpenMP's workers spin for 300,000 pauses, up to 15 ms, before they sleep."""

LOOKS = (12, 24, 48, 96, 192, 384)
"""After so many rounds, and at no other moment, it is looked whether they are precise: who looks after every round
stops at a moment at which they happen to agree."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to be timed: `run(count)` makes so many calls; `pass_calls` of them touch all of its data once."""

    run: Callable[[int], object]
    pass_calls: int = 1


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per call, a row per contender; rows pair by index. `calls` is how many calls a sample of each holds."""

    seconds: tuple[tuple[float, ...], ...]
    calls: tuple[int, ...]


def calibrated(
    contenders: Sequence[Contender], settle_seconds: float, clock: Clock = cpu_clock
) -> tuple[int, ...]:
    """How many calls of each contender make a block that is long enough to be timed."""
    with undisturbed():
        found = []
        for contender in contenders:
            _settle(contender, contender.pass_calls, settle_seconds)
            found.append(clock.calls_for(contender.run, SPARE * clock.SAMPLE_SECONDS))
        return tuple(found)


def alternate(
    contenders: Sequence[Contender],
    calls: Sequence[int],
    count: int,
    settle_seconds: float,
    between: Callable[[], None] = lambda: None,
    clock: Clock = cpu_clock,
) -> Samples:
    """`count` rounds of blocks of so many calls, in an order that turns round by round.

    `between` runs before every round, outside the clock.
    """
    rows: list[list[float]] = [[] for _ in contenders]
    order = list(range(len(contenders)))
    with undisturbed():
        for _ in range(count):
            between()
            for index in order:
                _settle(contenders[index], calls[index], settle_seconds)
                rows[index].append(clock.seconds_each(contenders[index].run, calls[index]))
            order.reverse()
    return Samples(tuple(map(tuple, rows)), tuple(calls))


def rounds(
    contenders: Sequence[Contender],
    figure: Callable[[Sequence[Sequence[float]]], Sequence[float]],
    precision: float,
    budget_seconds: float,
    settle_seconds: float,
    clock: Clock = cpu_clock,
) -> Samples:
    """Rounds until the interval of the median of `figure` is within +- `precision`, or `budget_seconds` have passed.

    `figure` makes one number per round of the rows of seconds. It is looked at after LOOKS rounds, and no more are made
    than the last of them.
    """
    calls = calibrated(contenders, settle_seconds, clock)
    rows: tuple[tuple[float, ...], ...] = tuple(() for _ in contenders)
    start = perf_counter()
    for look in LOOKS:
        more = alternate(contenders, calls, look - len(rows[0]), settle_seconds, clock=clock)
        rows = tuple(row + new for row, new in zip(rows, more.seconds, strict=True))
        precise = stats.estimate(figure(rows)).half_width <= precision
        if precise or perf_counter() - start >= budget_seconds:
            break
    return Samples(rows, calls)


def best(
    contender: Contender,
    repeats: int,
    sample_seconds: float,
    settle_seconds: float,
    clock: Clock = cpu_clock,
) -> list[float]:
    """Seconds per call of `repeats` samples of one contender alone, each of at least `sample_seconds`; for roofs."""
    with undisturbed():
        _settle(contender, contender.pass_calls, settle_seconds)
        calls = clock.calls_for(contender.run, sample_seconds)
        return [clock.seconds_each(contender.run, calls) for _ in range(repeats)]


def once(contender: Contender, sample_seconds: float) -> float:
    """Seconds per call of one sample of at least `sample_seconds`, after one untimed pass over the contender's data."""
    with undisturbed():
        before = cpu_clock.seconds_each(contender.run, contender.pass_calls)
        return cpu_clock.seconds_each(contender.run, max(1, ceil(sample_seconds / before)))


def again(contender: Contender, calls: int) -> float:
    """Seconds per call of one sample of so many calls, after a quarter as many, or one pass over the data, untimed."""
    with undisturbed():
        contender.run(max(contender.pass_calls, calls // 4))
        return cpu_clock.seconds_each(contender.run, calls)


def glance(run: Callable[[int], object], least_seconds: float) -> float:
    """Seconds per call of one short sample of at least `least_seconds`: one call alone where that is as long.

    After a call that is not timed, for it may compile.
    """
    run(1)
    with undisturbed():
        each = cpu_clock.seconds_each(run, 1)
        if each >= least_seconds:
            return each
        return cpu_clock.seconds_each(run, cpu_clock.calls_for(run, least_seconds))


def single_calls(
    contender: Contender, budget_seconds: float, clock: Clock = cpu_clock
) -> dict[str, float]:
    """Minimum, median, 90th and 99th percentile of calls timed one by one; at least 20 of them, at most 1000."""
    with undisturbed():
        _settle(contender, contender.pass_calls, 0.0)
        seconds, start = [], perf_counter()
        for number in range(1000):
            seconds.append(clock.seconds_each(contender.run, 1))
            if number >= 19 and perf_counter() - start > budget_seconds:
                break
    percentiles = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    return {
        "min": min(seconds),
        **{name: stats.quantile(seconds, q) for name, q in percentiles.items()},
    }


def _settle(contender: Contender, calls: int, settle_seconds: float) -> None:
    """Untimed calls: at least one pass over the contender's data, and at least `settle_seconds` long."""
    start, done = perf_counter(), 0
    while done < contender.pass_calls or perf_counter() - start < settle_seconds:
        # in small steps, so that a short settling time is not outrun by a long block
        count = max(1, min(calls // 8, contender.pass_calls))
        contender.run(count)
        done += count
