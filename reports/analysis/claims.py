"""What "Limitations of RNN, LSTM and GRU" states about hardware, tested on the machine of a profile. Pure.

Six claims, each evaluated per device from the profile's own points, whatever machine they are of. A claim is supported
only by evidence that could have gone the other way. Where intervals or unconfirmed verdicts leave it open a claim is
undecided, and where the profile lacks the points not testable; it says why. What the paper says about gradients, memory
span and accuracy is outside this suite.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from math import log

from bench.profile.experiments import BYTES, THREADS
from bench.profile.stats import Estimate
from kernels.case import GATES
from kernels.roofline_model import BANDWIDTH, CALL, CODE, COMPUTE
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import MOVE_A_ROOF, Outcome
from reports.analysis.points import Row, times_apart
from reports.analysis.roofs import Roofs
from reports.analysis.series import Series, Share, foremost
from reports.analysis.verdict import Verdict
from reports.analysis.wording import TIMES, decimal, gain, giga, marked, percent, setting, share

SUPPORTED, REFUTED = "supported", "not supported here"
UNDECIDED, UNTESTED = "undecided here", "not testable here"

NEARLY_ALL = 0.9
"""From this share on, the linear layers hold nearly all of a step."""
INEFFICIENT = 0.5
"""Below this share of the arithmetic roof, most of the arithmetic units stand idle."""
FOLLOWS = 0.5
"""From this elasticity of time to bytes on, a cell is slower because it has more parameters."""

STATEMENTS = (
    "An LSTM cell runs four linear layers at each time step, and they hold nearly all its FLOPs, bytes and time.",
    "These layers need memory bandwidth that the system does not provide: the step is bandwidth-bound.",
    "More compute units do not help, for lack of bandwidth to feed them.",
    "An LSTM is hardware-inefficient: it reaches a small share of the machine\u2019s arithmetic.",
    "An LSTM has more parameters and is therefore slower; an RNN is faster and less complex than a GRU.",
    "Training too is bandwidth-bound.",
)
EXPERIMENTS = (
    "the products that ran, and part: the linear layers alone against the whole step",
    "residency, bytes, batch and threads, as they confirm verdicts",
    "threads, bytes, and the free batch",
    "batch: the share of the arithmetic roof that is reached",
    "cell: the three of one size by one implementation",
    "residency, bytes, batch and threads, as they confirm verdicts",
)

Found = tuple[dict[int, bool | None], list[str]]
"""Whether a claim holds, by batch, and the figures behind it or what is missing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the paper, and what one device of the profile says of it.

    verdict     supported, not supported here, undecided here, or not testable here
    experiment  which comparison decided, or would have
    figures     what the verdict rests on, or what is missing
    until       the last batch of an unbroken run from the first that supports it; None where all that were measured do
    open_until  the last batch before the first that does not support it, where some between are undecided
    """

    number: int
    device: str
    verdict: str
    experiment: str
    figures: tuple[str, ...]
    until: int | None = None
    open_until: int | None = None

    @property
    def statement(self) -> str:
        """What the paper claims."""
        return STATEMENTS[self.number - 1]

    @property
    def text(self) -> str:
        """The verdict in words: `supported up to batch 4, undecided up to 16`."""
        if self.until is None:
            return self.verdict
        rest = f", undecided up to {self.open_until}" if self.open_until else ""
        return f"{self.verdict} up to batch {self.until}{rest}"


def on(
    device: str,
    rows: Iterable[Row],
    every: Iterable[Series],
    shares: Iterable[Share],
    outcomes: Iterable[Outcome],
    roofs: Roofs,
) -> tuple[Claim, ...]:
    """The six claims on a device, by all that a profile says; of that, only what was measured on the device counts."""
    here = [row for row in rows if row.case.device == device]
    whole = [one for one in every if (one.case.device, one.case.part) == (device, "cell")]
    steps = [one for one in whole if one.case.steps == 1]
    inference = foremost([s for s in steps if (s.case.cell, s.case.phase) == ("lstm", "step")])
    trained = foremost([one for one in steps if one.case.phase == "train"])
    no_inference: Found = {}, [f"no LSTM step was measured on {device}"]
    no_training: Found = {}, [f"no training step was measured on {device}"]
    found = (
        _layers(here, [one for one in shares if one.case.device == device]),
        _bandwidth_bound(inference) if inference else no_inference,
        _more_compute(inference, outcomes) if inference else no_inference,
        _inefficient(inference, roofs) if inference else no_inference,
        _slower(inference, here) if inference else no_inference,
        _bandwidth_bound(trained) if trained else no_training,
    )
    return tuple(_claim(number, device, *one) for number, one in enumerate(found, 1))


def _claim(
    number: int, device: str, states: Mapping[int, bool | None], figures: Sequence[str]
) -> Claim:
    """What holds at the smallest batch, and up to which one without a gap; None where all that were measured do."""
    batches = sorted(states)
    word = {True: SUPPORTED, False: REFUTED, None: UNDECIDED}
    verdict = word[states[batches[0]]] if batches else UNTESTED
    surely = list(takewhile(lambda batch: states[batch], batches))
    perhaps = list(takewhile(lambda batch: states[batch] is not False, batches))
    until = surely[-1] if surely and surely != batches else None
    further = perhaps[-1] if until and perhaps != surely else None
    about = EXPERIMENTS[number - 1]
    return Claim(number, device, verdict, about, tuple(figures), until, further)


def _layers(rows: Sequence[Row], shares: Iterable[Share]) -> Found:
    """Claim 1. The products that ran are counted by PyTorch's dispatcher, and the linear layers timed alone."""
    four, figures = _counted_layers(rows)
    by_batch: dict[int, list[bool | None]] = {}
    for one in shares:
        if one.case.phase != "step":
            continue
        where = f"{setting(one.case)}, B {one.case.batch}, {one.implementation}"
        held = f"{percent(one.flops)} of the FLOPs, {percent(one.bytes)} of the bytes"
        figures.append(f"{where}: {held}, {share(one.time)} of the time")
        if one.case.cell == "lstm":
            modelled = one.flops >= NEARLY_ALL and one.bytes >= NEARLY_ALL
            time = at_least(one.time, NEARLY_ALL)
            by_batch.setdefault(one.case.batch, []).append(all_of([modelled, four, time]))
    if not by_batch:
        figures.append("no linear part of an LSTM was measured beside a roof that stood still")
    return {batch: weighed(found) for batch, found in by_batch.items()}, figures


def _counted_layers(rows: Iterable[Row]) -> tuple[bool | None, list[str]]:
    """Whether LSTM steps ran the products of four linear layers, and no more; None where nothing was counted.

    A layer multiplies [x, h] of each sequence by an H x (I + H) matrix: 2BH(I + H) FLOPs, in one product or several.
    Weights of int8 tell nothing: their activations are multiplied limb by limb.
    """
    ran: dict[str, set[tuple[int, float]]] = {cell: set() for cell in GATES}
    for row in rows:
        case, products = row.case, row.point.products
        whole = (case.part, case.phase, case.steps) == ("cell", "step", 1)
        if products and whole and case.dtype == case.activations:
            layer = 2 * case.batch * case.hidden * (case.input + case.hidden)
            ran[case.cell].add((products["count"], products["flops"] / layer))
    told = [
        f"{cell.upper()} {layers:g} in {count} products"
        for cell, found in ran.items()
        for count, layers in sorted(found)
    ]
    four = all(layers == GATES["lstm"] for _, layers in ran["lstm"]) if ran["lstm"] else None
    if not told:
        return four, ["the products that ran were not counted when this was measured"]
    return four, [f"linear layers per step, by the products that ran: {', '.join(told)}"]


def _bandwidth_bound(group: Sequence[Series]) -> Found:
    """Claims 2 and 6, by the confirmed verdicts of the best implementation, batch by batch."""
    best = _best(group)
    row, found = best.rows[0], best.verdicts[0]
    sure = "confirmed" if found.confirmed else "unconfirmed"
    figures = [
        f"{_named(best)}: {marked(found)} at batch {row.case.batch} ({sure}: {found.reason})"
    ]
    if row.fraction:
        figures.append(f"it reaches {share(row.fraction)} of its roof there")
    if row.t_bytes and row.t_flops and row.t_flops.median:
        needed, given = (row.moved / limit.median for limit in (row.t_flops, row.t_bytes))
        figures.append(
            f"to keep the arithmetic busy it would need {giga(needed)} GB/s, "
            f"{gain(needed / given)}{TIMES} the {giga(given)} that the roofs give"
        )
    along = zip(best.rows, best.verdicts, strict=True)
    return {row.case.batch: _is_bandwidth(found) for row, found in along}, figures


def _more_compute(group: Sequence[Series], outcomes: Iterable[Outcome]) -> Found:
    """Claim 3, by what more threads, fewer bytes and more sequences do to the best implementation's time."""
    best = _best(group)
    by_key = {row.key: row.case.batch for row in best.rows}
    evidence: dict[int, list[bool | None]] = {row.case.batch: [] for row in best.rows}
    figures: list[str] = []
    known = [(one, by_key[key]) for one in outcomes for key in one.about if key in by_key]
    doubted = {
        batch
        for one, batch in known
        if one.experiment in MOVE_A_ROOF and one.answer(BANDWIDTH).word == CONTRADICTS
    }
    for outcome, batch in known:
        if outcome.experiment in (THREADS, BYTES):
            says = _for_lack_of_bandwidth(outcome)
            # half the bytes take a core half the time, too
            alone = says and outcome.experiment == BYTES and batch in doubted
            evidence[batch].append(None if alone else says)
            figures += _told(outcome)
    if best.free_text:
        ridge = best.ridge_batch
        predicted = f"; by the roofs arithmetic takes over at {ridge}" if ridge else ""
        figures.append(f"free batch {best.free_text}{predicted}")
    if not figures:
        figures.append("no other threads, weights or batches were measured beside it")
    named = [f"{_named(best)}: {figures[0]}", *figures[1:]]
    said = {batch: weighed(found) for batch, found in evidence.items()}
    if not any(evidence.values()):
        return (dict.fromkeys(said) if best.free_text else {}), named
    return _on_while_free(best, said), named


def _on_while_free(one: Series, said: Mapping[int, bool | None]) -> dict[int, bool | None]:
    """What experiments say by batch, and on from a batch that they decide what rides free: alone it decides nothing."""
    found: dict[int, bool | None] = {}
    for batch, says in sorted(said.items()):
        decided = any(known is not None for known in found.values())
        known = says is not None or decided
        found[batch] = _with_free(says, _rides_free(one, batch)) if known else None
    return found


def _rides_free(one: Series, batch: int) -> bool | None:
    """Whether a batch rides free, of the first whether another one does; None where that is unclear."""
    if one.free is None or len(one.planned) == 1:
        return None
    least, most = one.free
    if batch == one.planned[0]:
        return True if least > batch else False if most == batch and not one.endless else None
    return True if batch <= least else False if batch > most and not one.endless else None


def _with_free(said: bool | None, free: bool | None) -> bool | None:
    """What experiments say at a batch, and whether it rides free: open where the two disagree."""
    if said is None or free is None:
        return free if said is None else said
    return said if said == free else None


def _inefficient(group: Sequence[Series], roofs: Roofs) -> Found:
    """Claim 4, by the best share of the arithmetic roof that any implementation reaches at each batch."""
    reached: dict[int, Estimate] = {}
    for row in (row for one in group for row in one.rows):
        if part := row.multiplying:
            reached[row.case.batch] = max(part, reached.get(row.case.batch, part))
    if not reached:
        return {}, ["no arithmetic roof was measured for it"]
    case = group[0].case
    peak = roofs.peak(case)
    of_what = f", of {giga(peak)} GFLOP/s" if peak else ""
    parts = ", ".join(f"B {batch} {share(at)}" for batch, at in sorted(reached.items()))
    most = {batch: at_least(at, INEFFICIENT) for batch, at in reached.items()}
    below = {batch: None if one is None else not one for batch, one in most.items()}
    return below, [f"{setting(case)}: the best implementation reaches{of_what}: {parts}"]


def _slower(group: Sequence[Series], here: Iterable[Row]) -> Found:
    """Claim 5, by the three cells' times x paired roof against their bytes."""
    best = _best(group)
    rows = {(row.case, row.point.implementation): row for row in here}
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
        times = {name: times_apart(*pair) for name, pair in pairs.items()}
        counted = {name: slow.moved / quick.moved for name, (slow, quick) in pairs.items()}
        by = log(counted["LSTM/RNN"])
        follows = Estimate(*(log(ratio) / by for ratio in times["LSTM/RNN"]))
        slower = [at_least(ratio, 1.0) for ratio in times.values()]
        states[lstm.case.batch] = all_of([*slower, at_least(follows, FOLLOWS)])
        ratios = ", ".join(
            f"{name} {decimal(time.median)} ({decimal(time.low)}\N{EN DASH}{decimal(time.high)}) for "
            f"{decimal(counted[name])}{TIMES} the bytes"
            for name, time in times.items()
        )
        figures.append(f"B {lstm.case.batch}: {ratios}; elasticity {decimal(follows.median)}")
    if not figures:
        return {}, ["RNN and GRU of the same size were not measured beside the LSTM"]
    return states, [f"{_named(best)}, by time x paired roof: {figures[0]}", *figures[1:]]


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
    if said.word == CONTRADICTS:
        # fewer bytes do not help, or more cores help by more than the bandwidth that they add
        found, memory = outcome.elasticity, outcome.predicted.get(BANDWIDTH, 0.0)
        against |= outcome.experiment == BYTES or (found is not None and found.high < memory)
    return False if against else None


def _told(outcome: Outcome) -> Iterator[str]:
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
    silent = ", which decides nothing" if _for_lack_of_bandwidth(outcome) is None else ""
    yield f"B {one.batch}, {what} {decimal(value.median)} ({interval}), predicted {predicted}{silent}"


def _named(one: Series) -> str:
    return f"{setting(one.case)}, {one.implementation}"


def at_least(value: Estimate, threshold: float) -> bool | None:
    """Whether an interval lies wholly at or above a threshold, or wholly below it; None where neither."""
    if value.low >= threshold:
        return True
    return False if value.high < threshold else None


def all_of(found: Sequence[bool | None]) -> bool | None:
    """Whether every one holds: one that fails decides, else one that is open leaves it open."""
    if False in found:
        return False
    return None if None in found else True


def weighed(found: Sequence[bool | None]) -> bool | None:
    """What independent evidence says together: what speaks against wins, and what is open is no evidence."""
    if False in found:
        return False
    return True if True in found else None
