"""What the suite holds against a profile: the warnings it recorded, and those that only reading reveals. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, get_args

from bench.profile import level_names, records
from bench.profile import warnings as severities
from bench.profile.records import Point, Profile, RunWarning
from bench.profile.stats import median
from reports.analysis.points import Row
from reports.analysis.roofs import AGREE, NOT_REACHED, Roofs
from reports.analysis.verdict import Verdict
from reports.analysis.wording import giga, percent_range, size

LAST_LEVEL = 5
"""No processor reports a cache further out."""
MEMORY_SLOWER = 1.5
"""Memory is slower than the last cache by this factor at least, or the curve may have ended within a cache."""
BETWEEN = ", "
"""What stands between the points that one warning is about."""
CHANGES = {
    2: (
        "the read curve goes on until it is flat, where it ended at a few times the reported cache",
        "so what method 1 calls memory may be a cache, and weights that it streamed may have come from there",
        "write, copy and triad roofs have more variants, and the write roof is sampled beside points that write much",
    ),
    3: (
        "points are visited several times over the run, and intervals hold between visits",
        "so intervals of older methods are too narrow, and none of their verdicts is confirmed between runs",
    ),
}
"""By method, what it does otherwise than the one before."""
K = TypeVar("K")
SEVERITIES = get_args(severities.Severity)
"""The worst first."""
NOTHING_KNOWN = "nothing is known of these cases; no series passes over them"


def every(
    profile: Profile,
    ordered: Sequence[Point],
    readings: Sequence[tuple[Row, Verdict]],
    roofs: Roofs,
) -> tuple[RunWarning, ...]:
    """The worst first by their severity; of one severity a busy machine, points, levels, then what the run noticed."""
    busy = [one for one in profile.warnings if (one.code, one.about) == ("load", "run")]
    rows = [row for row, _ in readings]
    found = (
        *busy,
        *impossible(readings),
        *_older(profile.method),
        *_incomplete(profile.complete, ordered),
        *_unheld(readings),
        *_levels(profile, roofs),
        *_memory(profile, roofs),
        *_above_bus(profile, rows, roofs),
        *_unclear(rows, roofs),
        *_pages(profile, rows),
        *_versions(profile),
        *(warning for warning in profile.warnings if warning not in busy),
    )
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity or "warning")))


def impossible(readings: Iterable[tuple[Row, Verdict]]) -> Iterator[RunWarning]:
    """A warning for each point whose roof fraction lies wholly above 1.03."""
    for row, found in readings:
        if found.name == "impossible":
            yield RunWarning(
                "impossible",
                row.key,
                f"reaches {percent_range(row.fraction)} of its roof: the roof or the modelled bytes are wrong",
                "measure again; if it stays, trust no figure of this series and report it",
            )


def changed(since: int, until: int) -> tuple[str, ...]:
    """What methods after `since` changed, up to `until`."""
    return tuple(one for method, ones in CHANGES.items() if since < method <= until for one in ones)


def _older(method: int) -> Iterator[RunWarning]:
    """What the methods since that of the profile changed."""
    if changes := changed(method, records.METHOD):
        message = f"measured by method {method}; since then {'; '.join(changes)}"
        yield RunWarning("older method", "run", message, "measure again with this version")


def _incomplete(complete: bool, ordered: Sequence[Point]) -> Iterator[RunWarning]:
    """Cases without a figure, and a run that ended early."""
    if not complete:
        message = "the run ended before every planned case had its record"
        advice = "continue it with pytest --benchmark-only --resume and its folder"
        yield RunWarning("incomplete", "run", message, advice)
    if unfinished := [point.key for point in ordered if point.checked_again is False]:
        message = f"the run ended before {len(unfinished)} points got all visits and the second check of their answer"
        advice = "continue the run; until then their intervals are of fewer visits"
        yield RunWarning("unfinished", BETWEEN.join(unfinished), message, advice)
    absent = "no reason was recorded"
    for point in ordered:
        if point.status == "failed":
            reason = f"failed: {point.reason or absent}"
            yield RunWarning("missing case", point.key, reason, NOTHING_KNOWN)
    skipped = ((p.reason or absent, p.key) for p in ordered if p.status == "skipped")
    for reason, keys in _grouped(skipped).items():
        yield RunWarning("skipped", BETWEEN.join(keys), reason, NOTHING_KNOWN)


def _unheld(readings: Iterable[tuple[Row, Verdict]]) -> Iterator[RunWarning]:
    """Good points that could not be held against a roof, by what was missing."""
    unknown = ((found.reason, row.key) for row, found in readings if found.name == "unknown")
    for reason, keys in _grouped(unknown).items():
        advice = "measure the whole suite in one run"
        yield RunWarning("no verdict", BETWEEN.join(keys), reason, advice)


def _levels(profile: Profile, roofs: Roofs) -> Iterator[RunWarning]:
    """Plateaus that end elsewhere than the caches the system reports; the curve counts, the warning says so."""
    caches = {level_names.cache(level): total for level, total in system_caches(profile).items()}
    for level in roofs.levels("cpu"):
        reported, ends = caches.get(level.name), level.up_to_bytes
        if reported and ends and not 1 / AGREE <= ends / reported <= AGREE:
            yield RunWarning(
                "level disagrees",
                level.name,
                f"its plateau ends at {size(ends)}, the system reports {size(reported)}",
                "the measured curve counts; a virtual machine often reports its host's caches",
            )


def _memory(profile: Profile, roofs: Roofs) -> Iterator[RunWarning]:
    """Whether the read curve came to its end within a cache: it reaches a few times the last cache reported."""
    found = roofs.levels("cpu")
    if not found or any(warning.code == NOT_REACHED for warning in profile.warnings):
        return  # the run said itself that the curve did not come to its end
    before, memory = found[-2:] if len(found) > 1 else (None, found[-1])
    against = "the only one"
    if before:
        slower = before.bytes_per_s / memory.bytes_per_s
        if slower >= MEMORY_SLOWER:
            return
        against = f"{slower:.2f} times slower than {before.name}"
    yield RunWarning(
        "memory unsure",
        memory.name,
        f"the last plateau of the read curve, at {giga(memory.bytes_per_s)} GB/s, is {against}: it may be a cache, "
        "larger than the system reports",
        "trust nothing here that is said of memory or of streamed weights; look up the caches of the processor",
    )


def _above_bus(profile: Profile, rows: Iterable[Row], roofs: Roofs) -> Iterator[RunWarning]:
    """Whether a GPU's memory was read faster than its bus and clock allow, in the curve or beside streamed steps.

    What the driver tells, transfers a second times the width of the bus, is no roof of ours, but nothing passes it.
    """
    found = roofs.levels("cuda")
    bus = next(
        (gpu.get("datasheet_bytes_per_s") for gpu in profile.machine.get("gpus") or ()), None
    )
    if not found or not bus:
        return
    memory = found[-1]
    beside = [
        median(row.point.roof_bytes_per_s)
        for row in rows
        if (row.case.device, row.case.residency) == ("cuda", "streamed")
        and row.case.phase == "step"
        and row.point.roof_bytes_per_s
    ]
    fastest = max((memory.bytes_per_s, *beside))
    if fastest > bus:
        yield RunWarning(
            "above the bus",
            memory.name,
            f"it was read at up to {giga(fastest)} GB/s, and its bus and clock allow {giga(bus)} GB/s: a cache gave "
            "a part, or the driver tells the bus or the clock wrongly",
            "trust no percentage of that level; look up the memory of the GPU, and report it",
        )


def _unclear(rows: Iterable[Row], roofs: Roofs) -> Iterator[RunWarning]:
    """Points whose working set says one level and whose roof another."""
    unclear = [row.key for row in rows if row.level is None and roofs.level_by_size(row.point)]
    if unclear:
        yield RunWarning(
            "level unclear",
            BETWEEN.join(unclear),
            f"the roof sampled beside {len(unclear)} points is more than twice that of the level their working set "
            "lies in: the level is not named",
            "the fraction holds, it uses the sampled roof; look at where the curve says the level ends",
        )


def _pages(profile: Profile, rows: Iterable[Row]) -> Iterator[RunWarning]:
    """Points whose weights lay on pages of another size than the read roof's."""
    of_device: dict[str, set[int]] = {}
    for roof in profile.roofs:
        if roof.kind == "read" and roof.page_bytes:
            of_device.setdefault(roof.device, set()).add(roof.page_bytes)
    unlike = (
        ((own, max(pages)), row.key)
        for row in rows
        if (own := row.point.page_bytes)
        and (pages := of_device.get(row.case.device))
        and own not in pages
    )
    for (own, roofs), keys in _grouped(unlike).items():
        yield RunWarning(
            "page sizes differ",
            BETWEEN.join(keys),
            f"{len(keys)} points had pages of {size(own)}, the read roof of {size(roofs)}",
            "page size decides bandwidth: trust the roofs sampled beside these points, not the curve",
        )


def _versions(profile: Profile) -> Iterator[RunWarning]:
    """Implementations whose points were computed by more than one version of it, as a resumed run can have."""
    known = ((point.implementation, point.version) for point in profile.points if point.version)
    for name, found in _grouped(known).items():
        if len(set(found)) > 1:
            yield RunWarning(
                "unequal versions",
                "run",
                f"{name} was measured in {len(set(found))} versions: {', '.join(sorted(set(found)))}",
                "measure anew in one run before comparing its points",
            )


def _grouped(pairs: Iterable[tuple[K, str]]) -> Mapping[K, list[str]]:
    """The second of all pairs by the first."""
    found: dict[K, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def system_caches(profile: Profile) -> dict[int, int]:
    """Bytes of data cache per level, all instances together, as the system reports them."""
    totals: dict[int, int] = {}
    for cache in profile.cpu.get("caches", ()):
        level, each = cache.get("level"), cache.get("size_bytes")
        instructions = str(cache.get("type")).lower().startswith("instr")
        if each and level and 1 <= level <= LAST_LEVEL and not instructions:
            totals[level] = totals.get(level, 0) + each * max(1, cache.get("instances") or 1)
    return totals
