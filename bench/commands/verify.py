"""`python -m bench verify`: is the instrument right?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.verify.checks import Check

HELP = "is the instrument right? known-answer steps, probes in C, counted bytes"
EXAMPLES = """examples: python -m bench verify    python -m bench verify --all --only counted
          python -m bench verify --counts reports/runs/latest --out counted"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which parts, how thoroughly, and the profile to count for."""
    add = parser.add_argument
    add(
        "--times", type=int, default=1, help="known-answer steps so many times in a row (default 1)"
    )
    add(
        "--all",
        action="store_true",
        help="everything, and to the last percent; takes some ten minutes",
    )
    add(
        "--only",
        choices=("planted", "probes", "counted"),
        help="known-answer steps, roofs against C, or counted bytes (default: all three)",
    )
    add(
        "--counts",
        type=Path,
        metavar="PROFILE",
        help="count the steps of this profile or run folder alone, and write it with its counts to --out",
    )
    add("--implementation", help="count by this one alone (default: by every one)")
    add("--out", type=Path, help="new folder for the profile that --counts makes")


def run(given: argparse.Namespace) -> int:
    """Check, and print a table of what was found, of a part of it where that is interrupted. 1 where one is wrong."""
    from bench.timing import interrupts
    from bench.verify import checks
    from kernels import implementations

    _refuse(given)
    if given.implementation:
        implementations.load(given.implementation)
    found: list[Check] = []
    try:
        with interrupts.listening():
            for check in _verified(given):
                found.append(check)  # noqa: PERF402 - what was found is told if the rest is interrupted
    finally:
        for line in checks.table(found):
            print(line)
    if given.out:
        print(f"counted: {given.out / 'profile.json'}")
    bad = sum(not one.good for one in found)
    if bad:
        print(f"bench: {bad} of these came out wrong: trust no figure here now", file=sys.stderr)
    return int(bad > 0)


def _refuse(given: argparse.Namespace) -> None:
    """Raise BadUsage for an option out of range, or one that another makes meaningless."""
    from bench.session.start import BadUsage

    if not 1 <= given.times <= 1000:
        raise BadUsage(f"--times {given.times} is out of range: use 1 to 1000")
    if (given.counts is None) != (given.out is None):
        raise BadUsage(
            "--counts and --out belong together: the profile to count for, and a folder for the counted one"
        )
    counts, only = given.counts is not None, given.only
    from_profile = "--counts counts the steps of a profile"
    for meaningless, option, why in (
        (counts and only not in (None, "counted"), f"--only {only}", from_profile),
        (counts and given.all, "--all", from_profile),
        (counts and given.implementation, "--implementation", from_profile),
        (only in ("planted", "probes") and given.implementation, "--implementation", f"--only {only} counts no bytes"),
        (given.times > 1 and counts, "--times", from_profile),
        (given.times > 1 and only in ("probes", "counted"), "--times", f"--only {only} times no known-answer steps"),
    ):  # fmt: skip
        if meaningless:
            raise BadUsage(f"{option} does nothing here: {why}: leave it out")


def _verified(given: argparse.Namespace) -> Iterator[Check]:
    from bench.session.start import roofs_alone
    from bench.verify import instrument
    from kernels import implementations

    def say(what: str) -> None:
        print(f"bench: {what} ...", file=sys.stderr, flush=True)

    if given.counts:
        yield from instrument.profile(given.counts, given.out)
        return
    names = [given.implementation] if given.implementation else implementations.names()
    parts = instrument.PARTS if given.only is None else (given.only,)
    if parts != ("counted",):
        say("measuring roofs")
        with roofs_alone(curve_seconds=1.0) as measured:
            if "planted" in parts:
                say("timing known-answer steps")
                yield from instrument.known(measured, given.times, thorough=given.all)
            if "probes" in parts:
                say("holding the roofs against C and likwid-bench")
                yield from instrument.against_c(measured, thorough=given.all)
                yield from instrument.against_likwid(measured, thorough=given.all)
    if "counted" in parts:
        say("counting bytes")
        yield from instrument.bytes_counted(names, thorough=given.all)
