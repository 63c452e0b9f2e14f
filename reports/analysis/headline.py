"""The sentences that open a report, to be quoted as they stand. Pure.

They are about the step that matters most to inference: an LSTM of 1024 units, on a GPU of 4096, whose weights come from
memory, at batch 1, by the best implementation measured, with PyTorch's own cell beside it. No bound is named as a fact
that is not confirmed, and where nothing measured touches a roof, they say so.
"""

from collections.abc import Sequence

from bench.profile.errors import printable
from bench.profile.level_names import LARGEST_SET
from bench.profile.records import RunWarning
from kernels import roofline_model
from kernels.case import Case
from reports.analysis import wording
from reports.analysis.points import Row
from reports.analysis.roofs import NOT_REACHED
from reports.analysis.series import Series, foremost
from reports.analysis.verdict import BETWEEN_RUNS
from reports.analysis.wording import gain, percent, share

REFERENCE = "torch_cell"
OWN = "PyTorch\u2019s own cell"
ARTICLES = {"rnn": "an RNN", "lstm": "an LSTM", "gru": "a GRU"}


def headline(machine: str, every: Sequence[Series], warnings: Sequence[RunWarning]) -> str:
    """What a machine's series say about its foremost step, in one or two sentences; before them that others were busy.

    `warnings` are all that the suite holds against the profile.
    """
    said = ""
    if warned := [one.message for one in warnings if (one.code, one.about) == ("load", "run")]:
        busy = printable(" ".join(warned[0].split()))
        said = f"{busy[:1].upper()}{busy[1:]}: trust no single figure. "
    if any(warning.code == NOT_REACHED for warning in warnings):
        said += "The read curve does not tell where memory begins, so the largest set may lie in a cache. "
    return f"{said}On {machine}, {_told(foremost(every))}"


def _told(group: Sequence[Series]) -> str:
    if not group:
        return "no step could be measured: every case failed or was skipped."
    step = _step(group[0].case)
    held = [one for one in group if one.rows[0].fraction and one.verdicts[0].name != "impossible"]
    if not held:
        why = f"it could not be held against a roof: {group[0].verdicts[0].reason}"
        if any(one.verdicts[0].name == "impossible" for one in group):
            why = "its time lies below what the roofs allow, so the roof or the bytes are wrong"
        return f"{step} was timed, but {why}; no share of a roof is stated."
    least = min(one.rows[0].case.batch for one in held)
    starting = [one for one in held if one.rows[0].case.batch == least]
    best = max(starting, key=lambda one: _fraction(one.rows[0]))
    quickest = min(starting, key=lambda one: one.rows[0].seconds.median)
    own = next((one for one in group if one.implementation == REFERENCE), None)
    by_clock = ""
    if quickest is not best:  # against a roof that stood higher at that moment
        by_clock = (
            f" By the clock {_who(quickest)} was quicker, while the memory was quicker too: the two are not told "
            "apart."
        )
    return f"{_reached(step, best, own)}{by_clock}{_bound(best)}"


def _who(one: Series) -> str:
    return OWN if one.implementation == REFERENCE else printable(one.implementation)


def _step(case: Case) -> str:
    part = "" if case.part == "cell" else f"the {case.part} part of "
    weights = "weights fetched from memory" if case.residency == "streamed" else "weights resident"
    step = "step" if case.phase == "step" else "training step"
    units = f"{part}{ARTICLES[case.cell]} {step} of {case.hidden:,} units"
    steps = "" if case.steps == 1 else f", in sequences of {case.steps:,}"
    where = wording.setup(case.device, case.threads)
    return f"{units} ({wording.dtypes(case)}, {where}, {weights}{steps})"


def _reached(step: str, best: Series, own: Series | None) -> str:
    """How near the best comes to its roof; of a step that does not follow it the time, and the share as a range."""
    row, found = best.rows[0], best.verdicts[0]
    assert row.fraction is not None
    at = f"at batch {row.case.batch}"
    beside = "" if best.implementation == REFERENCE else _beside(own, row.case.batch)
    interval = wording.percent_range(row.fraction)
    if found.name == roofline_model.CODE:
        return (
            f"no implementation measured touches the roof for {step}: the best, {_who(best)}, takes {_time(row)} "
            f"{at}, {interval} of the roof, and the machine would allow {gain(found.faster or 1)} times its "
            f"speed{beside}."
        )
    how = f"{percent(row.fraction.median)} of the measured roof ({interval}) {at}"
    return f"{step} reaches {how} with {_who(best)}, the best measured{beside}."


def _time(row: Row) -> str:
    unit, factor = wording.time_unit([row.seconds.median])
    return f"{wording.number(row.seconds.median * factor)} {unit} ({wording.span(row.seconds, factor)})"


def _beside(own: Series | None, batch: int) -> str:
    pairs = zip(own.rows, own.verdicts, strict=True) if own else ()
    row, found = next((pair for pair in pairs if pair[0].case.batch == batch), (None, None))
    if row is None or found is None or row.fraction is None:
        return f"; {OWN} has no figure"
    if found.name == roofline_model.CODE:
        return f"; {OWN} takes {_time(row)}, {wording.percent_range(row.fraction)} of it"
    return f"; {OWN} reaches {share(row.fraction)}"


def _bound(best: Series) -> str:
    """What bounds it: as a fact where experiments confirm it, else as what the time agrees with."""
    found, at = best.verdicts[0], f"at batch {best.rows[0].case.batch}"
    # memory where the level is not known, or was not reached by the curve
    level = "memory" if found.level in (None, LARGEST_SET) else found.level
    once = found.reason == BETWEEN_RUNS
    because = f"({found.reason})" if once else f"(unconfirmed: {found.reason})"
    if found.name == roofline_model.CODE:
        return ""
    if found.name == "mixed":
        between = " or ".join(found.between)
        return f" What bounds it is open: the interval allows {between}."
    if found.name == "unknown":
        return f" What bounds it is unknown: {found.reason}."
    if found.confirmed:
        by = f"{level}-{found.name}" if found.bound == roofline_model.BANDWIDTH else found.name
        return f" It is {by}-bound {_until(best) or at} (confirmed: {found.reason})."
    if found.name == roofline_model.BANDWIDTH:
        return f" Its time is what {level} bandwidth allows {at} {because}."
    if found.name == roofline_model.CALL:
        return f" Most of that time is the cost of the call itself {because}."
    return f" Its time reads as {wording.verdict(found)} {because}."


def _until(best: Series) -> str | None:
    """Up to which batch bandwidth is confirmed, where that is more than the first."""
    until, last = best.bandwidth_until, best.planned[-1]
    if until is None or until == best.planned[0]:
        return None
    return f"up to batch {until}" + (", the largest measured" if until == last else "")


def _fraction(row: Row) -> float:
    return row.fraction.median if row.fraction else 0.0
