"""What is held against a device's points and its curve: a warning is a function, called by `looks` at a run's end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bench.device.device import Device
from bench.device.threads import named
from bench.profile import roof_times, stats
from bench.profile.records import SENTINEL, Point, Roof, RunWarning
from bench.session.machine_warnings import BUSY_CORES, Look
from bench.session.survey import Survey

DRIFT = 0.05
CLOCK = 0.05
SLACK = 1.25
"""A precision missed by less than this factor is not worth a line."""


def looks(
    device: Device,
    survey: Survey | str,
    points: Sequence[Point],
    standing: Callable[[int | None], Iterable[RunWarning]],
    keep: Callable[[Roof], None],
) -> dict[str, Look]:
    """What is against the figures of a device, its points among them: what is looked at, and how.

    `survey` is the reason where there is none. `standing` tells what is against the device whatever is measured, given
    the page size of its arena; `keep` is given the sentinel's last look.
    """
    if isinstance(survey, str) or device.lost():
        return {f"the {device.name}": lambda: standing(None)}
    context, curve = survey.context, survey.curve

    def drift() -> Iterable[RunWarning]:
        last = device.sentinel(context.arena, context.span_bytes)
        keep(replace(last, kind=SENTINEL))
        return of_sentinel(survey.sentinel, last)

    least = device.clock.SAMPLE_SECONDS / 2
    told: dict[str, Look] = {
        "machine": lambda: standing(device.page_bytes(context.arena)),
        "drift": drift,
        "paired roofs": lambda: of_paired_roofs(points),
        "clock": lambda: of_clock(points),
        "points": lambda: of_points(points, context.precision, least, context.write_seconds),
        "small sets": lambda: of_small_sets(points),
        "pages": lambda: of_own_weights(points, context.page_bytes),
        "launches": lambda: of_launches(points),
        "memory": lambda: of_memory(curve.unsure, curve.largest),
        "streamed points": lambda: of_streaming(points, curve.nearly_flat),
    }
    return {f"{what} ({device.name})": look for what, look in told.items()}


def of_clock(points: Iterable[Point]) -> Iterator[RunWarning]:
    """Whether the core ticked at different speeds beside the points of a run."""
    clocks = [hz for point in _good(points) if (hz := (point.state or {}).get("clock_hz"))]
    if not clocks or max(clocks) <= (1 + CLOCK) * min(clocks):
        return
    message = f"the core ran at {min(clocks) / 1e9:.2f} to {max(clocks) / 1e9:.2f} GHz beside the points of this run"
    advice = (
        "compare fractions, not times; fix the clock for figures of steps that stay in the caches"
    )
    yield RunWarning("clock changed", "run", message, advice)


def of_sentinel(start: Roof, end: Roof) -> Iterator[RunWarning]:
    """Whether the same probe over the same memory ran at another speed at the end than at the start."""
    before, after = stats.median(start.samples), stats.median(end.samples)
    change = after / before - 1
    if abs(change) <= DRIFT:
        return
    message = f"the read probe ran {change:+.0%} at the end of the run against its start"
    advice = "trust the paired fractions; times of different points are not comparable to better than this"
    yield RunWarning("drift", "run", message, advice)


def of_paired_roofs(points: Iterable[Point]) -> Iterator[RunWarning]:
    """Whether the read probe beside streamed points, over memory all alike, ran at different speeds in one run.

    Not beside training: there it reads each set twice in a row, the second time from a cache where one set fits it. Nor
    where the sets are too small for the probe, which then walks otherwise.
    """
    medians = [
        stats.median(point.roof_bytes_per_s)
        for point in _good(points)
        if (point.case.residency, point.case.phase) == ("streamed", "step")
        and point.roof_walk is None
    ]
    if not medians or max(medians) <= (1 + 2 * DRIFT) * min(medians):
        return
    low, high = min(medians) / 1e9, max(medians) / 1e9
    message = (
        f"beside streamed points the read probe over memory ran at {low:.0f} to {high:.0f} GB/s"
    )
    advice = (
        "points are held against the roof of their own moment; only steps that do not wait for memory come out "
        "with another percentage at another moment"
    )
    yield RunWarning("moving roof", "run", message, advice)


def of_memory(unsure: bool, largest: int) -> Iterator[RunWarning]:
    """Whether the read curve, up to its largest set in bytes, left it unsure where memory begins."""
    if not unsure:
        return
    message = (
        f"the read curve, up to {largest / 2**20:.4g} MiB, does not tell where memory begins: it falls to its end, or "
        "ends where a cache larger than the reported one would be flat too. Its last level is called the largest set, "
        "and a cache may serve a part of it"
    )
    advice = "free memory, or take a machine with more, and measure again; until then trust no bandwidth of memory"
    yield RunWarning("memory not reached", "run", message, advice)


def of_streaming(points: Iterable[Point], least_bytes: int) -> Iterator[RunWarning]:
    """Streamed points whose sets of weights turned out smaller than those that are as slow as memory."""
    small = [
        point.key
        for point in _good(points)
        if point.case.residency == "streamed" and (point.working_set_bytes or 0) < least_bytes
    ]
    if not small:
        return
    where = f"{least_bytes / 2**20:.4g} MiB, from where the read curve was flat"
    message = f"{_count(small)}, streamed, spanned less than {where}"
    advice = "measure again: part of them may lie in a cache"
    yield RunWarning("not streamed for sure", ", ".join(small), message, advice)


def of_small_sets(points: Iterable[Point]) -> Iterator[RunWarning]:
    """Points whose weights are too small for the read probe at their threads, by how it walked instead."""
    walked = _keys_by(points, lambda point: point.roof_walk and tuple(point.roof_walk.items()))
    for walk, keys in walked.items():
        one = dict(walk)
        message = (
            f"the weights of {_count(keys)} are too small for the read probe: their read roof is that of "
            f"{named(one['threads'] or 'all')} over sets of {one['set_bytes']} bytes"
        )
        advice = "look at the time of the call, which such a step is"
        yield RunWarning("small weights", ", ".join(keys), message, advice)


def of_own_weights(points: Iterable[Point], page_bytes: int | None) -> Iterator[RunWarning]:
    """Points of libraries whose own copies of the weights lie on other pages than everyone else's."""
    other = [p for p in _good(points) if p.own_weights and p.page_bytes != page_bytes]
    for (size,), keys in _keys_by(other, lambda point: (point.page_bytes,)).items():
        message = (
            f"the library of {_count(keys)} packs weights of its own, on pages of {size or 'unknown'} bytes where the "
            f"arena has {page_bytes or 'unknown'}; their roofs were read from such pages"
        )
        advice = "compare their times with other implementations'; their percentages say what such pages allow"
        yield RunWarning("page sizes differ", ", ".join(keys), message, advice)


def of_points(
    points: Iterable[Point],
    precision: float,
    least: float,
    write_seconds: Callable[[int, int], float],
) -> Iterator[RunWarning]:
    """One warning per kind, naming the points it is about: noisy, of short samples, or beside a busy process, ...

    Samples of less than `least` seconds are short. `write_seconds` is what so many bytes take so many threads at the
    surveyed roof.
    """

    def written_seconds(point: Point) -> float:
        assert point.bytes is not None
        return write_seconds(point.bytes["written"], point.case.threads)

    noisy, short, busy, crowded = [], [], [], []
    slowed: dict[str, list[str]] = {}
    good = _good(points)
    shares = [roof_times.roof_fractions(point, written_seconds(point)) for point in good]
    prior = stats.prior(
        stats.between(share, point.visits) for share, point in zip(shares, good, strict=True)
    )
    for point, share in zip(good, shares, strict=True):
        state = point.state or {}
        if stats.over(share, point.visits, prior).half_width > SLACK * precision:
            noisy.append(point.key)
        if any(visit.retaken for visit in point.visits or ()):
            crowded.append(point.key)
        if point.steps_per_sample and stats.median(point.seconds) * point.steps_per_sample < least:
            short.append(point.key)
        if (state.get("load") or 0.0) >= BUSY_CORES:
            busy.append(point.key)
        if causes := state.get("throttle"):
            slowed.setdefault(", ".join(causes), []).append(point.key)
    for causes, keys in slowed.items():
        message = f"processors were slowed down beside {_count(keys)} ({causes})"
        advice = "measure them again on a machine that keeps its speed"
        yield RunWarning("throttled", ", ".join(keys), message, advice)
    if noisy:
        message = f"{_count(noisy)} did not reach +-{precision:.0%} between visits before their time was spent"
        advice = "measure on a quieter machine, or with a larger budget_seconds"
        yield RunWarning("noisy", ", ".join(noisy), message, advice)
    if short:
        message = f"{_count(short)} had samples shorter than {least * 1e3:.3g} ms"
        advice = "measure them again: the machine sped up midway"
        yield RunWarning("short sample", ", ".join(short), message, advice)
    if crowded:
        message = (
            f"threads shared a core during visits to {_count(crowded)}, which were then made again"
        )
        yield RunWarning("crowded", ", ".join(crowded), message, "give the run cores of its own")
    if busy:
        message = f"another process ran beside {_count(busy)}"
        yield RunWarning("load", ", ".join(busy), message, "stop it and measure again")


def of_launches(points: Iterable[Point]) -> Iterator[RunWarning]:
    """Points whose calls cost the CPU more than the GPU: one by one they take that long."""
    bound = [
        point.key
        for point in _good(points)
        if (point.launch_seconds or 0.0) / point.case.steps > stats.median(point.seconds)
    ]
    if not bound:
        return
    message = (
        f"{_count(bound)} cost the CPU more to launch than the GPU to compute; timed is the GPU"
    )
    advice = (
        "record them in a graph, or look at launch_seconds for what a call made by itself takes"
    )
    yield RunWarning("launch bound", ", ".join(bound), message, advice)


def _good(points: Iterable[Point]) -> list[Point]:
    return [point for point in points if point.status == "ok"]


def _keys_by(points: Iterable[Point], what: Callable[[Point], Any]) -> dict[Any, list[str]]:
    """Keys of the good points by something about each, of which that is something."""
    found: dict[Any, list[str]] = {}
    for point in _good(points):
        if (about := what(point)) is not None:
            found.setdefault(about, []).append(point.key)
    return found


def _count(keys: list[str]) -> str:
    return "1 point" if len(keys) == 1 else f"{len(keys)} points"
