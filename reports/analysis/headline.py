"""The sentences that open a report, to be quoted as they stand. Pure.

They are about the step that matters most to inference: an LSTM of 1024 units whose weights come from memory, at
batch 1, by the best implementation measured, with PyTorch's own cell beside it. No bound is named as a fact that is not
confirmed, and where nothing measured touches a roof, they say so.
"""

from __future__ import annotations

from bench.profile.errors import printable
from bench.profile.records import LARGEST_SET, Profile
from kernels import roofline_model
from kernels.case import Case
from reports.analysis import series, warnings
from reports.analysis.points import Row
from reports.analysis.series import Series
from reports.analysis.units import gain, percent, percent_range
from reports.analysis.verdict import Verdict
from reports.tables.points import dtypes, threads

HIDDEN = 1024
REFERENCE = "torch_cell"
OWN = "PyTorch\u2019s own cell"
ARTICLES = {"rnn": "an RNN", "lstm": "an LSTM", "gru": "a GRU"}


def headline(profile: Profile) -> str:
    """What the profile says about its foremost step, in one or two sentences; before them that others were busy."""
    busy = next((warning.message for warning in warnings.busy(profile)), "")
    said = (
        f"{busy[0].upper()}{' '.join(busy[1:].split())}: trust no single figure. " if busy else ""
    )
    if any(warning.code == warnings.NOT_REACHED for warning in profile.warnings):
        said += "The read curve does not tell where memory begins, so the largest set may lie in a cache. "
    return said + _headline(profile)


def _headline(profile: Profile) -> str:
    group = foremost(series.of(profile))
    if not group:
        return (
            f"On {machine(profile)}, no step could be measured: every case failed or was skipped."
        )
    step = _step(group[0].case)
    held = [one for one in group if one.rows[0].fraction and one.verdicts[0].name != "impossible"]
    if not held:
        contradicts = any(one.verdicts[0].name == "impossible" for one in group)
        why = (
            "its time lies below what the roofs allow, so the roof or the bytes are wrong"
            if contradicts
            else f"it could not be held against a roof: {group[0].verdicts[0].reason}"
        )
        return f"On {machine(profile)}, {step} was timed, but {why}; no share of a roof is stated."
    least = min(one.rows[0].case.batch for one in held)
    starting = [one for one in held if one.rows[0].case.batch == least]
    best = max(starting, key=lambda one: _fraction(one.rows[0]))
    quickest = min(starting, key=lambda one: one.rows[0].seconds.median)
    own = next((one for one in group if one.implementation == REFERENCE), None)
    return f"On {machine(profile)}, {_reached(step, best, own)}{_contradicted(best, quickest)}{_bound(best)}"


def foremost(all_series: tuple[Series, ...]) -> list[Series]:
    """The series of one case, by every implementation that fetches as much.

    Whole single steps of inference first, then LSTM, streamed, 1024 units.
    """
    if not all_series:
        return []

    def rank(one: Series) -> tuple[object, ...]:
        case = one.case
        whole = (case.part == "cell" and case.phase == "step", case.steps == 1)
        kind = (case.cell == "lstm", case.residency == "streamed")
        sizes = (case.hidden == HIDDEN, case.hidden, case.input == case.hidden, case.input)
        return (
            *whole,
            *kind,
            *sizes,
            case.dtype == "float32",
            case.threads,
            case.device,
            case.cell,
        )

    chosen = max(all_series, key=rank)
    return [one for one in all_series if (one.case, one.fetched) == (chosen.case, chosen.fetched)]


def machine(profile: Profile) -> str:
    """The machine's name as it calls itself: its label, else its processor."""
    cpu = profile.machine.get("cpu")
    model = cpu.get("model") if isinstance(cpu, dict) else None
    for name in (profile.machine.get("label"), model):
        if isinstance(name, str) and name.strip():
            return printable(" ".join(name.split()))
    return "this machine"


def _step(case: Case) -> str:
    part = "" if case.part == "cell" else f"the {case.part} part of "
    weights = "weights fetched from memory" if case.residency == "streamed" else "weights resident"
    workers = threads(case) if case.device == "cpu" else case.device
    step = "step" if case.phase == "step" else "training step"
    units = f"{part}{ARTICLES[case.cell]} {step} of {case.hidden:,} units"
    steps = "" if case.steps == 1 else f", in sequences of {case.steps:,}"
    return f"{units} ({dtypes(case)}, {workers}, {weights}{steps})"


def _reached(step: str, best: Series, own: Series | None) -> str:
    row, found = best.rows[0], best.verdicts[0]
    who = OWN if best.implementation == REFERENCE else printable(best.implementation)
    share = f"({percent_range(row.fraction)})"
    at = f"at batch {row.case.batch}"
    beside = "" if best.implementation == REFERENCE else _beside(own, row.case.batch)
    if found.name == roofline_model.CODE:
        return (
            f"no implementation measured touches the roof for {step}: the best, {who}, reaches "
            f"{percent(_fraction(row))} of it {share} {at}, and the machine would allow "
            f"{gain(found.faster or 1)} times its speed{beside}."
        )
    reached = f"{percent(_fraction(row))} of the measured roof {share} {at}"
    return f"{step} reaches {reached} with {who}, the best measured{beside}."


def _contradicted(best: Series, quickest: Series) -> str:
    """Said where another implementation took less time, against a roof that stood higher at that moment."""
    if quickest is best:
        return ""
    who = OWN if quickest.implementation == REFERENCE else printable(quickest.implementation)
    return f" By the clock {who} was quicker, while the memory was quicker too: the two are not told apart."


def _beside(own: Series | None, batch: int) -> str:
    row = next((row for row in own.rows if row.case.batch == batch), None) if own else None
    if row is None or row.fraction is None:
        return f"; {OWN} has no figure"
    return f"; {OWN} reaches {percent(row.fraction.median)} ({percent_range(row.fraction)})"


def _bound(best: Series) -> str:
    """What bounds it: as a fact where experiments confirm it, else as what the time agrees with."""
    row, found = best.rows[0], best.verdicts[0]
    if found.name == roofline_model.CODE:
        return ""
    if found.name == "mixed":
        between = " or ".join(found.between)
        return f" What bounds it is open: the interval allows {between}."
    if found.name == "unknown":
        return f" What bounds it is unknown: {found.reason}."
    at = f"at batch {row.case.batch}"
    if found.confirmed:
        return f" It is {_by(found)}-bound {_until(best) or at} (confirmed: {found.reason})."
    because = f"(unconfirmed: {found.reason})"
    if found.name == roofline_model.BANDWIDTH:
        return f" Its time is what {_memory(found)} allows {at} {because}."
    if found.name == roofline_model.CALL:
        return f" Most of that time is the cost of the call itself {because}."
    return f" Its time reads as {found.text} {because}."


def _until(best: Series) -> str | None:
    """Up to which batch bandwidth is confirmed, where that is more than the first."""
    until, last = best.bandwidth_until, best.planned[-1]
    if until is None or until == best.planned[0]:
        return None
    return f"up to batch {until}" + (", the largest measured" if until == last else "")


def _by(found: Verdict) -> str:
    """`DRAM-bandwidth`, `memory-bandwidth`, `compute`, `overhead`."""
    level = _behind(found) + "-" if found.bound == roofline_model.BANDWIDTH else ""
    return level + found.name


def _memory(found: Verdict) -> str:
    return f"{_behind(found)} bandwidth"


def _behind(found: Verdict) -> str:
    """The level's name; memory where it is not known, or was not reached by the curve."""
    return "memory" if found.level in (None, LARGEST_SET) else str(found.level)


def _fraction(row: Row) -> float:
    return row.fraction.median if row.fraction else 0.0
