"""Which verdicts are confirmed: readings of single points held against the experiments between them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from kernels.roofline_model import BANDWIDTH, BOTH, CALL, CODE, COMPUTE
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import NAMES, Outcome
from reports.analysis.points import Row
from reports.analysis.verdict import LATENCY, Verdict
from reports.analysis.wording import TIMES, gain

AGREEING = 2
"""So many different experiments must support a bound of the machine or of the call."""


def verdicts(
    readings: Sequence[tuple[Row, Verdict]], outcomes: Sequence[Outcome]
) -> dict[str, Verdict]:
    """The verdict of every good point by its key, confirmed where these experiments confirm it."""
    about: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        for key in outcome.about:
            about.setdefault(key, []).append(outcome)
    return {row.key: confirmed(found, about.get(row.key, ())) for row, found in readings}


def confirmed(found: Verdict, outcomes: Sequence[Outcome]) -> Verdict:
    """A verdict with what these experiments about its point make of it, in `confirmed` and `reason`."""
    if found.name in ("unknown", "impossible"):
        return found
    sure, reason = _settled(found, outcomes)
    return replace(found, confirmed=sure, reason=reason)


def _settled(found: Verdict, outcomes: Sequence[Outcome]) -> tuple[bool, str]:
    bound = found.bound
    if found.name == LATENCY:
        return False, "no step waits for weights: barriers and the chain of steps are left"
    if bound is None:
        return False, "the interval leaves more than one bound open"
    if against := _names(outcomes, bound, CONTRADICTS):
        return False, f"contradicted by {_listed(against)}"
    for outcome in outcomes if bound == CODE else ():
        # an example of the step done faster needs no second experiment
        if outcome.quicker is not None and outcome.answer(CODE).word == SUPPORTS:
            who = outcome.rows[1].point.implementation
            return True, f"{who} is {gain(outcome.quicker.median)}{TIMES} as fast"
    supporting = _names(outcomes, bound, SUPPORTS)
    excluded = {rival for outcome in outcomes for rival in outcome.answer(bound).excludes}
    rivals: tuple[str, ...] = () if bound == CODE else (BANDWIDTH, COMPUTE)
    if found.name.endswith(BOTH):  # a small floor was measured as such
        rivals += (CALL,)
    left = [rival for rival in rivals if rival not in {bound, *excluded}]
    if len(supporting) >= AGREEING and not left:
        moves = ": its time moves as no limit does" if bound == CODE else ""
        return True, f"{_listed(supporting)} agree{moves}"
    if bound == CODE:
        return False, "no quicker implementation and no two experiments show it"
    if not supporting:
        asked = [name for name in NAMES if any(one.experiment == name for one in outcomes)]
        said = f"{_listed(asked)} decided nothing" if asked else "no point to compare it with"
        return False, said
    if left:
        return False, f"{_listed(supporting)} cannot exclude {_listed(left, 'or')}"
    return False, f"{_listed(supporting)} alone supports it"


def _names(outcomes: Sequence[Outcome], bound: str, word: str) -> list[str]:
    said = {outcome.experiment for outcome in outcomes if outcome.answer(bound).word == word}
    return [name for name in NAMES if name in said]


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
