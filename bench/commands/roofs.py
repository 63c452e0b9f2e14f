"""`python -m bench roofs`: a line per level of the read curve and per other roof of this machine."""

import argparse
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bench.profile.records import SENTINEL, Level, Profile, Roof

HELP = "measure this machine's roofs and levels"

SHORT = {"byte/s": "GB/s", "flop/s": "GFLOP/s"}
"""A thousand million of a roof's unit."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """How many sizes to sweep."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="half the sizes of the read curve, and other roofs once",
    )


def run(given: argparse.Namespace) -> int:
    """Measure and print them."""
    from bench.session.start import roofs_alone

    with roofs_alone(curve_seconds=0.5 if given.quick else 2.5) as measured:
        print("\n".join(lines(measured.finish([]))))
    return 0


def lines(profile: Profile) -> list[str]:
    """Levels from the smallest to the last, each with its GB/s; the best of every other probe; what was left out."""
    from bench.timing.call_limit import LEFT_OUT

    devices = dict.fromkeys(level.device for level in profile.levels)
    found = [
        line
        for device in devices
        for line in _levels([level for level in profile.levels if level.device == device])
    ]
    left_out = [one.message for one in profile.warnings if one.code == LEFT_OUT]
    return [*found, *_others(profile.roofs), *left_out]


def _levels(levels: Sequence[Level]) -> list[str]:
    """The last one has no end: it begins where the one before it ends."""
    found = [_level(level, None) for level in levels[:1]]
    return found + [_level(level, before.up_to_bytes) for before, level in pairwise(levels)]


def _level(level: Level, start: int | None) -> str:
    where = level.name
    if level.up_to_bytes:
        where += f" (up to {_size(level.up_to_bytes)})"
    elif start:
        where += f" (from {_size(start)} on)"
    return f"read, {where}: {level.bytes_per_s / 1e9:.1f} GB/s"


def _others(roofs: Iterable[Roof]) -> list[str]:
    from bench.device.threads import named

    best: dict[tuple[str, ...], float] = {}
    for roof in roofs:
        if roof.kind in ("read", SENTINEL):  # levels say it
            continue
        size = _size(roof.working_set_bytes) if roof.working_set_bytes else roof.dtype or ""
        key = (roof.kind, size, named(roof.threads) if roof.threads else "", roof.unit)
        sample = min(roof.samples) if roof.unit == "s" else max(roof.samples)
        best[key] = (min if roof.unit == "s" else max)(sample, best.get(key, sample))
    found = []
    for (kind, size, count, unit), value in best.items():
        shown = f"{value * 1e6:.2f} us" if unit == "s" else f"{value / 1e9:.1f} {SHORT[unit]}"
        found.append(f"{', '.join(filter(None, (kind, size, count)))}: {shown}")
    return found


def _size(size: int) -> str:
    return f"{size / 2**20:.4g} MiB" if size >= 1 << 20 else f"{size / 2**10:.4g} KiB"
