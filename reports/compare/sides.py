"""Several runs of one machine and one code, joined into one side of a comparison. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from bench.profile.stats import of_visits
from reports.compare.system import Entry, System
from reports.locate import BadInput

MEASURED = "measured"
"""The fact in which runs of one side always differ."""


def joined(runs: Sequence[System]) -> System:
    """The steps that all runs have, each with its runs; roofs and levels are the first run's. Raises BadInput."""
    first = runs[0]
    if len(runs) == 1:
        return first
    for other in runs[1:]:
        if (other.machine, other.method) != (first.machine, first.method) or first.machine is None:
            raise BadInput(
                f"runs of {first.name} and {other.name} in one folder: a side is of one machine and one method"
            )
    by_step = [{(one.work, one.implementation): one for one in run.entries} for run in runs]
    steps = [key for key in by_step[0] if all(key in run for run in by_step)]
    if not steps:
        raise BadInput(f"{first.name}: no case that all {len(runs)} runs of a folder have")
    entries = tuple(_joined([run[key] for run in by_step]) for key in steps)
    return replace(first, entries=entries, facts=_facts(runs), runs=len(runs))


def _joined(runs: Sequence[Entry]) -> Entry:
    """One step of several runs: samples one after the other, and of every figure the middle over runs."""
    fractions = [one.fraction.median for one in runs if one.fraction and one.fraction.median > 0]
    paired = all(one.paired for one in runs)
    alike = len({one.together for one in runs}) == 1
    return replace(
        runs[0],
        seconds=tuple(second for one in runs for second in one.seconds),
        paired=tuple(roof for one in runs for roof in one.paired) if paired else (),
        fraction=of_visits(fractions) if alike and len(fractions) == len(runs) else None,
        t_bytes=_middle([one.t_bytes if alike else None for one in runs]),
        t_flops=_middle([one.t_flops for one in runs]),
        floor=_middle([one.floor for one in runs]),
        overhead=_middle([one.overhead for one in runs]),
        joules=_middle([one.joules for one in runs]),
        visits=None,
        runs=tuple(runs),
    )


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if len(known) == len(values) else None


def _facts(runs: Sequence[System]) -> dict[str, str]:
    """What the runs agree in, and all of what they do not."""
    found = {}
    for key in dict.fromkeys(key for run in runs for key in run.facts):
        told = list(dict.fromkeys(run.facts[key] for run in runs if key in run.facts))
        found[key] = "; ".join(told)
        if key == MEASURED and len(told) > 1:
            found[key] = f"{len(runs)} runs, {min(told)} to {max(told)}"
    return found
