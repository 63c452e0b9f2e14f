"""Verify the instrument: known-answer steps through the whole path of a point, roofs against probes in C and
likwid-bench, and counted against modelled bytes (METHODOLOGY.md). Each yields checks; by default so many that it takes
less than three minutes on two cores, `thorough` all of them, for longer.

What comes out wrong is measured once more, for longer and after all others, and counts as it comes out then: a
neighbour who takes a core or the memory's bandwidth for some seconds is no error of the instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.device import threads
from bench.device.device import Walk
from bench.machine import gpus
from bench.measure import point, probes, rotation
from bench.measure.context import Context
from bench.profile import reader, roof_times, stats
from bench.profile.journal import write_profile
from bench.session.folder import claim
from bench.verify import byte_check, c_probe, callgrind, known_answers, likwid, ncu
from bench.verify.checks import Check, banded, told, within
from kernels import roofline_model
from kernels.case import Unavailable
from kernels.reference.inputs import Arena, set_bytes

if TYPE_CHECKING:
    from bench.session.run import Run

PARTS = ("planted", "probes", "counted")
PRECISION = 0.005
BUDGET_SECONDS = 3.0
QUICK_PRECISION = 0.01
QUICK_BUDGET_SECONDS = 1.5
"""Of every check by default; of those that came out wrong, and of all with `--all`, the two above."""
UNTOLD_CACHE_BYTES = 1 << 20
"""A core's own cache, the second level's one instance, where the system tells none."""
GLANCE_SECONDS = 0.2
"""For a step that must be impossible: a factor of a thousand needs no precision."""


def settled(
    attempts: Iterable[Callable[[bool], Check | None]], *, thorough: bool, twice: bool = True
) -> Iterator[Check]:
    """Every attempt's check, if it makes one; if `twice`, those that came out wrong once more, after all others.

    The second time is a thorough one. It counts where it tells anything.
    """
    wrong = []
    for attempt in attempts:
        first = attempt(thorough)
        if first and (first.good or not twice):
            yield first
        elif first:
            wrong.append((attempt, first))
    for attempt, first in wrong:
        again = attempt(True)
        told_anew = again is not None and again.margin is not None
        yield replace(again, what=f"{again.what}, again") if again and told_anew else first


def known(run: Run, times: int, *, thorough: bool) -> Iterator[Check]:
    """Known-answer steps, `times` in a row: every one of `known_answers.TRUTHS` everywhere it holds.

    More than once, to see how often they are hit, none has a second chance.
    """
    context = run.context()
    own = [c["size_bytes"] for c in run.header.machine["cpu"]["caches"] if c["level"] == 2]
    places = known_answers.places(
        min(own, default=UNTOLD_CACHE_BYTES), context.last_level_bytes, threads.available()
    )
    attempts = [
        partial(
            _known, context, place, truth, f"{name}: {truth}" + f", time {number}" * (number > 1)
        )
        for number in range(1, times + 1)
        for name, place in places.items()
        for truth in place.truths
    ]
    yield from settled(attempts, thorough=thorough, twice=times == 1)


def _known(
    context: Context, place: known_answers.Place, truth: str, what: str, thorough: bool
) -> Check:
    """What a known-answer step scored and should have, or why it cannot be had: memory is short."""
    threads.use(place.case.threads)
    one_set = set_bytes(known_answers.layout(place, place.case), place.case.dtype)
    count = rotation.weight_sets(place.case, one_set, context.span_bytes, context.arena.most_bytes)
    context.cache.variants.clear()
    band = known_answers.TRUTHS[truth]
    budget = BUDGET_SECONDS if thorough else QUICK_BUDGET_SECONDS
    context = replace(
        context,
        precision=PRECISION if thorough else QUICK_PRECISION,
        budget_seconds=budget if band else GLANCE_SECONDS,
    )
    try:
        context.arena.grow(count * one_set)
        variant = probes.best_variant(context, Walk(one_set, count, place.case.threads))
        step = known_answers.implementation(truth, place, variant)
        found = point.point(context, place.case, truth, step, 0, known_answers.TrustingChecker)
    except Unavailable as reason:
        return Check("planted", what, str(reason))
    if found.status == "skipped":
        return Check("planted", what, found.reason or "skipped")
    if found.status != "ok":
        return Check("planted", what, str(found.reason), "a score", -1.0)
    score = stats.estimate(roof_times.roof_fractions(found, written_seconds=0.0))
    if band:
        return banded("planted", what, score, *band)
    margin = within(score.low, roofline_model.IMPOSSIBLE, None)
    return Check(
        "planted", what, told(score), f"above {roofline_model.IMPOSSIBLE}: impossible", margin
    )


def against_c(run: Run, *, thorough: bool) -> Iterator[Check]:
    """Every bandwidth roof against C, or why not."""
    sizes = run.survey().curve.middles
    with TemporaryDirectory() as folder:
        try:
            library = c_probe.build(Path(folder))
            scratch = Arena(max(sizes.values()), "cpu", 0)
        except Unavailable as reason:
            yield Check("probes", "the roofs against C", str(reason))
            return
        attempts = c_probe.comparisons(run.context(), library, scratch.address, sizes)
        yield from settled(attempts, thorough=thorough)


def against_likwid(run: Run, *, thorough: bool) -> Iterator[Check]:
    """Reads of the last level by one stream of our probe and by likwid-bench, at 1 and all threads, or why not."""
    place, size = list(run.survey().curve.middles.items())[-1]
    attempts = [
        partial(likwid.compared, run.context, place, size, count)
        for count in sorted({1, threads.available()})
    ]
    yield from settled(attempts, thorough=thorough)


def bytes_counted(names: Sequence[str], *, thorough: bool) -> Iterator[Check]:
    """Every cell by each of these implementations, counted where it can be, or why not."""
    try:
        yield from byte_check.checks(callgrind.count(byte_check.jobs(names, thorough=thorough)))
    except Unavailable as reason:
        yield Check("counted", "bytes", str(reason))
    reason_of_gpu = ncu.missing()
    if reason_of_gpu:
        yield Check("counted", "a GPU's bytes", reason_of_gpu)
        return
    last_level = max(gpu["l2_bytes"] or byte_check.FAR for gpu in gpus.gpus())
    yield from byte_check.checks(ncu.count(byte_check.jobs_on_gpu(names, last_level)))


def profile(path: Path, folder: Path) -> list[Check]:
    """Count the steps of the profile at `path`, a file or a run's folder, and write it with its counts to `folder`.

    Raises BadFile, bench.session.folder.BadOutput, and Unavailable where nothing can be counted.
    """
    given = path / "profile.json" if path.is_dir() else path
    measured = reader.load(given)
    reason = callgrind.missing()
    if reason:
        raise Unavailable(reason)
    claim(folder)
    wanted, refused = byte_check.of_points(measured.points)
    counts = [*refused, *callgrind.count(wanted)]
    write_profile(byte_check.into(measured, counts), folder)
    return byte_check.checks(counts)
