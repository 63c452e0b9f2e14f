"""What the suite holds against a profile: the warnings it recorded, and those that only reading reveals. Pure."""

from __future__ import annotations

from typing import Any

from bench.profile.records import Profile, RunWarning
from reports.analysis import methods, points, roofs, verdict
from reports.analysis.units import giga, percent_range, size

LAST_LEVEL = 5
"""No processor reports a cache further out."""

MEMORY_SLOWER = 1.5
"""Memory is slower than the last cache by this factor at least, or the curve may have ended within a cache."""

NOT_REACHED = "memory not reached"
"""The warning of a run whose read curve does not tell where memory begins."""

BETWEEN = ", "
"""What stands between the points that one warning is about."""


def of(profile: Profile) -> tuple[RunWarning, ...]:
    """A busy machine first, impossible points, what is missing, the levels, then what was noticed while measuring."""
    first = busy(profile)
    return (
        *first,
        *impossible(profile),
        *methods.older(profile),
        *_incomplete(profile),
        *_unheld(profile),
        *_levels(profile),
        *_memory(profile),
        *_unclear(profile),
        *_pages(profile),
        *_versions(profile),
        *(warning for warning in profile.warnings if warning not in first),
    )


def busy(profile: Profile) -> tuple[RunWarning, ...]:
    """What was noticed of other processes that were busy throughout the run."""
    return tuple(
        warning for warning in profile.warnings if (warning.code, warning.about) == ("load", "run")
    )


def impossible(profile: Profile) -> tuple[RunWarning, ...]:
    """A warning for each point whose roof fraction lies wholly above 1.03."""
    return tuple(
        RunWarning(
            "impossible",
            row.point.key,
            f"reaches {percent_range(row.fraction)} of its roof: the roof or the modelled bytes are wrong",
            "measure again; if it stays, trust no figure of this series and report it",
        )
        for row, found in verdict.readings(profile)
        if found.name == "impossible"
    )


def _incomplete(profile: Profile) -> list[RunWarning]:
    """Cases without a figure, and a run that ended early."""
    found = []
    if not profile.complete:
        found.append(
            RunWarning(
                "incomplete",
                "run",
                "the run ended before every planned case had its record",
                "continue it with pytest --benchmark-only --resume and its folder",
            )
        )
    found += [
        RunWarning(
            "missing case",
            point.key,
            f"{point.status}: {point.reason or 'no reason was recorded'}",
            "nothing is known of these cases; no series passes over them",
        )
        for point in points.ordered(profile)
        if point.status == "failed"
    ]
    skipped: dict[str, list[str]] = {}
    for point in points.ordered(profile):
        if point.status == "skipped":
            skipped.setdefault(point.reason or "no reason was recorded", []).append(point.key)
    found += [
        RunWarning(
            "skipped",
            BETWEEN.join(keys),
            reason,
            "nothing is known of these cases; no series passes over them",
        )
        for reason, keys in skipped.items()
    ]
    return found


def _unheld(profile: Profile) -> list[RunWarning]:
    """Good points that could not be held against a roof, by what was missing."""
    reasons: dict[str, list[str]] = {}
    for row, found in verdict.readings(profile):
        if found.name == "unknown":
            reasons.setdefault(found.reason, []).append(row.point.key)
    return [
        RunWarning(
            "no verdict",
            BETWEEN.join(keys),
            reason,
            "measure the whole suite in one run",
        )
        for reason, keys in reasons.items()
    ]


def _levels(profile: Profile) -> list[RunWarning]:
    """Plateaus that end elsewhere than the caches the system reports; the curve counts, the warning says so."""
    caches = system_caches(profile)
    found = []
    for level in roofs.levels(profile, "cpu"):
        reported = caches.get(_number(level.name))
        if reported is None or level.up_to_bytes is None:
            continue
        if not 1 / roofs.AGREE <= level.up_to_bytes / reported <= roofs.AGREE:
            found.append(
                RunWarning(
                    "level disagrees",
                    level.name,
                    f"its plateau ends at {size(level.up_to_bytes)}, the system reports {size(reported)}",
                    "the measured curve counts; a virtual machine often reports its host's caches",
                )
            )
    return found


def _memory(profile: Profile) -> list[RunWarning]:
    """Whether the read curve came to its end within a cache: it reaches a few times the last cache reported."""
    found = roofs.levels(profile, "cpu")
    if not found or any(warning.code == NOT_REACHED for warning in profile.warnings):
        return []  # the run said itself that the curve did not come to its end
    before, memory = found[-2:] if len(found) > 1 else (None, found[-1])
    if before and before.bytes_per_s >= MEMORY_SLOWER * memory.bytes_per_s:
        return []
    against = "the only one"
    if before:
        slower = before.bytes_per_s / memory.bytes_per_s
        against = f"{slower:.2f} times slower than {before.name}"
    message = (
        f"the last plateau of the read curve, at {giga(memory.bytes_per_s)} GB/s, is {against}"
    )
    return [
        RunWarning(
            "memory unsure",
            memory.name,
            f"{message}: it may be a cache, larger than the system reports",
            "trust nothing here that is said of memory or of streamed weights; look up the caches of the processor",
        )
    ]


def _unclear(profile: Profile) -> list[RunWarning]:
    """Points whose working set says one level and whose roof another."""
    unclear = []
    for row in points.rows(profile):
        level = roofs.level_by_size(profile, row.point)
        if level is not None and row.level is None:
            unclear.append(row.point.key)
    if not unclear:
        return []
    message = (
        f"the roof sampled beside {len(unclear)} points is more than twice that of the level their "
        "working set lies in: the level is not named"
    )
    advice = (
        "the fraction holds, it uses the sampled roof; look at where the curve says the level ends"
    )
    return [RunWarning("level unclear", BETWEEN.join(unclear), message, advice)]


def _pages(profile: Profile) -> list[RunWarning]:
    """Points whose weights lay on pages of another size than the read roof's."""
    found: dict[tuple[int, int], list[str]] = {}
    of_device: dict[str, set[int]] = {}
    for roof in profile.roofs:
        if roof.kind == "read" and roof.page_bytes:
            of_device.setdefault(roof.device, set()).add(roof.page_bytes)
    for row in points.rows(profile):
        pages, own = of_device.get(row.case.device, set()), row.point.page_bytes
        if own and pages and own not in pages:
            found.setdefault((own, max(pages)), []).append(row.point.key)
    return [
        RunWarning(
            "page sizes differ",
            BETWEEN.join(keys),
            f"{len(keys)} points had pages of {size(own)}, the read roof of {size(roof)}",
            "page size decides bandwidth: trust the roofs sampled beside these points, not the curve",
        )
        for (own, roof), keys in found.items()
    ]


def _versions(profile: Profile) -> list[RunWarning]:
    """Implementations whose points were computed by more than one version of it, as a resumed run can have."""
    versions: dict[str, set[str]] = {}
    for point in profile.points:
        if point.version:
            versions.setdefault(point.implementation, set()).add(point.version)
    return [
        RunWarning(
            "unequal versions",
            "run",
            f"{name} was measured in {len(found)} versions: {', '.join(sorted(found))}",
            "measure anew in one run before comparing its points",
        )
        for name, found in versions.items()
        if len(found) > 1
    ]


def system_caches(profile: Profile) -> dict[int, int]:
    """Bytes of data cache per level, all instances together, as the system reports them."""
    cpu = profile.machine.get("cpu")
    caches: Any = cpu.get("caches") if isinstance(cpu, dict) else None
    totals: dict[int, int] = {}
    for cache in caches if isinstance(caches, list) else ():
        if not isinstance(cache, dict) or str(cache.get("type", "")).lower().startswith("instr"):
            continue
        level, each, count = (
            cache.get("level"),
            cache.get("size_bytes"),
            cache.get("instances") or 1,
        )
        if not (isinstance(level, int) and isinstance(each, int) and isinstance(count, int)):
            continue
        if 1 <= level <= LAST_LEVEL and each > 0:
            totals[level] = totals.get(level, 0) + each * max(1, count)
    return totals


def _number(name: str) -> int:
    return int(name[1:]) if name[:1] == "L" and name[1:].isdigit() else 0
