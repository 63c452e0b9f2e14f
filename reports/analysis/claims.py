"""What "Limitations of RNN, LSTM and GRU" states about hardware, tested on the machine of a profile. Pure.

Six claims, each evaluated per device from the profile's own points, whatever machine they are of. A claim is supported
only by evidence that could have gone the other way. Where the profile lacks the points, or its intervals or unconfirmed
verdicts leave it open, a claim is not testable here, and says why. What the paper says about gradients, memory span and
accuracy is outside this suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log

from bench.profile.records import Profile
from bench.profile.stats import Estimate, estimate
from kernels.roofline_model import BANDWIDTH, CALL, CODE, COMPUTE
from reports.analysis import experiments, headline, roofs, series, three_valued
from reports.analysis import points as roofline
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import BYTES, THREADS, Outcome
from reports.analysis.points import moved
from reports.analysis.remember import remembered
from reports.analysis.series import Series
from reports.analysis.units import decimal, gain, giga, percent, percent_range
from reports.analysis.verdict import Verdict
from reports.tables.points import setting

SUPPORTED, REFUTED, UNTESTED = "supported", "not supported here", "not testable here"

NEARLY_ALL = 0.9
"""From this share on, the linear layers hold nearly all of a step."""
INEFFICIENT = 0.5
"""Below this share of the arithmetic roof, most of the arithmetic units stand idle."""
FOLLOWS = 0.5
"""From this elasticity of time to bytes on, a cell is slower because it has more parameters."""

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
STATEMENTS = (
    "An LSTM cell runs four linear layers at each time step, and they hold nearly all its FLOPs, bytes and time.",
    "These layers need memory bandwidth that the system does not provide: the step is bandwidth-bound.",
    "More compute units do not help, for lack of bandwidth to feed them.",
    "An LSTM is hardware-inefficient: it reaches a small share of the machine\u2019s arithmetic.",
    "An LSTM has more parameters and is therefore slower; an RNN is faster and less complex than a GRU.",
    "Training too is bandwidth-bound.",
)
EXPERIMENTS = (
    "part: the linear layers alone against the whole step",
    "residency, bytes, batch and threads, as they confirm verdicts",
    "threads, bytes, and the free batch",
    "batch: the share of the arithmetic roof that is reached",
    "cell: the three of one size by one implementation",
    "residency, bytes, batch and threads, as they confirm verdicts",
)
TIMES = "\N{MULTIPLICATION SIGN}"

Found = tuple[dict[int, bool | None], list[str]]
"""Whether a claim holds, by batch, and the figures behind it or what is missing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the paper, and what one device of the profile says of it.

    verdict     supported, not supported here, or not testable here
    experiment  which comparison decided, or would have
    figures     what the verdict rests on, or what is missing
    until       the last batch of an unbroken run from the first that supports it; None where all that were measured do
    """

    number: int
    device: str
    verdict: str
    experiment: str
    figures: tuple[str, ...]
    until: int | None = None

    @property
    def statement(self) -> str:
        """What the paper claims."""
        return STATEMENTS[self.number - 1]

    @property
    def text(self) -> str:
        """The verdict in words: `supported up to batch 4`."""
        return self.verdict if self.until is None else f"{self.verdict} up to batch {self.until}"


@remembered
def of(profile: Profile) -> tuple[Claim, ...]:
    """The six claims for each device that has points."""
    devices = sorted({point.case.device for point in profile.points})
    return tuple(claim for device in devices for claim in _on(profile, device))


def _on(profile: Profile, device: str) -> Iterable[Claim]:
    points = tuple(point for point in profile.points if point.case.device == device)
    # the profile itself where it has no other device: what was derived from it is not derived again
    here = profile if len(points) == len(profile.points) else replace(profile, points=points)
    whole = [one for one in series.of(here) if one.case.part == "cell"]
    steps = [one for one in whole if one.case.steps == 1]
    lstm = tuple(s for s in steps if (s.case.cell, s.case.phase) == ("lstm", "step"))
    training = tuple(one for one in steps if one.case.phase == "train")
    inference, trained = headline.foremost(lstm), headline.foremost(training)
    no_step, no_training = (
        f"no {what} was measured on {device}" for what in ("LSTM step", "training step")
    )
    tests = (
        _layers(here),
        _bandwidth_bound(inference) if inference else _open(no_step),
        _more_compute(here, inference) if inference else _open(no_step),
        _inefficient(here, inference) if inference else _open(no_step),
        _slower(here, inference) if inference else _open(no_step),
        _bandwidth_bound(trained) if trained else _open(no_training),
    )
    for number, (states, figures) in enumerate(tests, 1):
        holds, until = three_valued.run(states)
        word = {True: SUPPORTED, False: REFUTED, None: UNTESTED}[holds]
        yield Claim(number, device, word, EXPERIMENTS[number - 1], tuple(figures), until)


def _open(lacking: str) -> Found:
    return {}, [lacking]


def _layers(profile: Profile) -> Found:
    """Claim 1. The linear layers are counted from the modelled FLOPs, and timed alone."""
    counted = {
        row.case.cell: flops["linear"] / (2 * case.batch * case.hidden * (case.input + case.hidden))
        for row in roofline.rows(profile)
        if (case := row.case).part == "cell" and case.phase == "step" and (flops := row.point.flops)
    }
    layers = ", ".join(f"{cell.upper()} {counted[cell]:g}" for cell in GATES if cell in counted)
    figures = [f"linear layers per step, by its FLOPs: {layers}"] if layers else []
    by_batch: dict[int, list[bool | None]] = {}
    for share in (one for one in series.shares(profile) if one.case.phase == "step"):
        where = f"{setting(share.case)}, B {share.case.batch}, {share.implementation}"
        held = f"{percent(share.flops)} of the FLOPs, {percent(share.bytes)} of the bytes"
        figures.append(f"{where}: {held}, {_share(share.time)} of the time")
        if share.case.cell == "lstm":
            modelled = share.flops >= NEARLY_ALL and share.bytes >= NEARLY_ALL
            four = counted["lstm"] == GATES["lstm"]
            time = three_valued.at_least(share.time, NEARLY_ALL)
            found = by_batch.setdefault(share.case.batch, [])
            found.append(three_valued.all_of([modelled, four, time]))
    if not by_batch:
        figures.append("no linear part of an LSTM was measured beside a roof that stood still")
    return {batch: three_valued.weighed(found) for batch, found in by_batch.items()}, figures


def _bandwidth_bound(group: Sequence[Series]) -> Found:
    """Claims 2 and 6, by the confirmed verdicts of the best implementation, batch by batch."""
    best = _best(group)
    row, found = best.rows[0], best.verdicts[0]
    sure = "confirmed" if found.confirmed else "unconfirmed"
    figures = [
        f"{_named(best)}: {found.marked} at batch {row.case.batch} ({sure}: {found.reason})",
    ]
    if row.fraction:
        figures.append(f"it reaches {_share(row.fraction)} of its roof there")
    if row.t_bytes and row.t_flops and row.t_flops.median:
        needed, given = (moved(row) / limit.median for limit in (row.t_flops, row.t_bytes))
        figures.append(
            f"to keep the arithmetic busy it would need {giga(needed)} GB/s, "
            f"{gain(needed / given)}{TIMES} the {giga(given)} that the roofs give"
        )
    along = zip(best.rows, best.verdicts, strict=True)
    return {row.case.batch: _is_bandwidth(found) for row, found in along}, figures


def _more_compute(profile: Profile, group: Sequence[Series]) -> Found:
    """Claim 3, by what more threads, fewer bytes and more sequences do to the best implementation's time."""
    best = _best(group)
    by_key = {row.point.key: row.case.batch for row in best.rows}
    evidence: dict[int, list[bool | None]] = {row.case.batch: [] for row in best.rows}
    figures: list[str] = []
    for outcome in experiments.of(profile):
        here = [by_key[key] for key in outcome.about if key in by_key]
        if outcome.experiment in (THREADS, BYTES) and here:
            evidence[here[0]].append(_for_lack_of_bandwidth(outcome))
            figures += _told(outcome)
    free = best.free_batch
    if free is not None and len(best.planned) > 1:
        for batch, found in evidence.items():
            found.append(free > 1 if batch == 1 else batch <= free)
        ridge = (
            f"; by the roofs arithmetic takes over at {best.ridge_batch}"
            if best.ridge_batch
            else ""
        )
        figures.append(f"free batch {best.free_text}{ridge}")
    if not figures:
        figures.append("no other threads, weights or batches were measured beside it")
    states = {batch: three_valued.weighed(found) for batch, found in evidence.items()}
    return states, _headed(_named(best), figures)


def _inefficient(profile: Profile, group: Sequence[Series]) -> Found:
    """Claim 4, by the best share of the arithmetic roof that any implementation reaches at each batch."""
    reached: dict[int, Estimate] = {}
    for row in (row for one in group for row in one.rows):
        products = roofline.flops_times(profile, row.point)
        if products:
            pairs = zip(products, row.point.seconds, strict=True)
            share = estimate([least / taken for least, taken in pairs])
            reached[row.case.batch] = max(share, reached.get(row.case.batch, share))
    if not reached:
        return _open("no arithmetic roof was measured for it")
    case = group[0].case
    peak = roofs.arithmetic_roof(profile, case.device, case.threads, case.dtype, case.activations)
    of_what = f", of {giga(peak)} GFLOP/s" if peak else ""
    shares = ", ".join(f"B {batch} {percent(at.median)}" for batch, at in sorted(reached.items()))
    below = {
        b: three_valued.negated(three_valued.at_least(at, INEFFICIENT)) for b, at in reached.items()
    }
    return below, [f"{setting(case)}: the best implementation reaches{of_what}: {shares}"]


def _slower(profile: Profile, group: Sequence[Series]) -> Found:
    """Claim 5, by the three cells' times x paired roof against their bytes."""
    best = _best(group)
    rows = {(row.case, row.point.implementation): row for row in roofline.rows(profile)}
    states: dict[int, bool | None] = {}
    figures = []
    for lstm in best.rows:
        gru, rnn = (
            rows.get((replace(lstm.case, cell=cell), best.implementation))
            for cell in ("gru", "rnn")
        )
        if gru is None or rnn is None:
            continue
        pairs = {"LSTM/RNN": (lstm, rnn), "GRU/RNN": (gru, rnn), "LSTM/GRU": (lstm, gru)}
        times = {name: roofline.times_apart(*pair) for name, pair in pairs.items()}
        counted = {name: moved(slow) / moved(quick) for name, (slow, quick) in pairs.items()}
        by = log(counted["LSTM/RNN"])
        follows = Estimate(*(log(ratio) / by for ratio in times["LSTM/RNN"]))
        slower = [three_valued.at_least(ratio, 1.0) for ratio in times.values()]
        states[lstm.case.batch] = three_valued.all_of(
            [*slower, three_valued.at_least(follows, FOLLOWS)]
        )
        ratios = ", ".join(
            f"{name} {decimal(time.median)} ({decimal(time.low)}\N{EN DASH}{decimal(time.high)}) for "
            f"{decimal(counted[name])}{TIMES} the bytes"
            for name, time in times.items()
        )
        figures.append(f"B {lstm.case.batch}: {ratios}; elasticity {decimal(follows.median)}")
    if not figures:
        return _open("RNN and GRU of the same size were not measured beside the LSTM")
    return states, _headed(f"{_named(best)}, by time x paired roof", figures)


def _best(group: Sequence[Series]) -> Series:
    """The implementation that is bandwidth-bound the longest, else the one nearest to its roof."""

    def rank(one: Series) -> tuple[float, float]:
        row, found = one.rows[0], one.verdicts[0]
        sound = row.fraction is not None and found.name != "impossible"
        return one.bandwidth_until or 0, row.fraction.median if row.fraction and sound else 0.0

    return max(group, key=rank)


def _is_bandwidth(found: Verdict) -> bool | None:
    """Whether memory is what bounds a step; None while that is open or not confirmed."""
    if found.name == BANDWIDTH and found.confirmed:
        return True
    other = found.bound == CODE or (found.bound in (COMPUTE, CALL) and found.confirmed)
    return False if other else None


def _for_lack_of_bandwidth(outcome: Outcome) -> bool | None:
    """Whether an experiment says that bytes, not arithmetic, set the time."""
    said = outcome.answer(BANDWIDTH)
    if said.word == SUPPORTS:
        return True if outcome.experiment == BYTES or COMPUTE in said.excludes else None
    against = outcome.answer(COMPUTE).word == SUPPORTS
    fewer_bytes_do_not_help = outcome.experiment == BYTES and said.word == CONTRADICTS
    return False if against or fewer_bytes_do_not_help else None


def _told(outcome: Outcome) -> Iterable[str]:
    """What an experiment with threads or bytes measured, and what bandwidth and compute predict."""
    value, by = outcome.elasticity, outcome.predicted
    if value is None:
        return
    one, other = (row.case for row in outcome.rows)
    predicted = ", ".join(
        f"{name} {decimal(by[name])}" for name in (BANDWIDTH, COMPUTE) if name in by
    )
    if outcome.experiment == THREADS:
        speed_up = outcome.rows[0].seconds.median / outcome.rows[1].seconds.median
        what = f"{other.threads} threads for {one.threads}: {gain(speed_up)}{TIMES} as fast; elasticity"
    else:
        what = f"{other.dtype} for {one.dtype} weights: elasticity of time to bytes"
    interval = f"{decimal(value.low)} to {decimal(value.high)}"
    yield f"B {one.batch}, {what} {decimal(value.median)} ({interval}), predicted {predicted}"


def _headed(head: str, figures: Sequence[str]) -> list[str]:
    """The figures, the first with what all of them are about in front."""
    return [f"{head}: {figures[0]}", *figures[1:]]


def _named(one: Series) -> str:
    return f"{setting(one.case)}, {one.implementation}"


def _share(value: Estimate) -> str:
    return f"{percent(value.median)} ({percent_range(value)})"
