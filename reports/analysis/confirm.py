"""Which verdicts are confirmed: readings of single points held against the experiments between them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.profile.records import Profile
from kernels.roofline_model import BANDWIDTH, BOTH, CALL, CODE, COMPUTE
from reports.analysis import experiments, verdict
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import CONTEST, NAMES, Outcome
from reports.analysis.remember import remembered
from reports.analysis.units import gain
from reports.analysis.verdict import LATENCY, Verdict

AGREEING = 2
"""So many different experiments must support a bound of the machine or of the call."""

LEGEND = (
    f"{verdict.CONFIRMED} confirmed: at least two independent experiments agree that the time moves as this bound "
    "predicts, together they exclude the others, and none contradicts; or, of an implementation, another one does "
    f"the same step faster. {verdict.MARK} unconfirmed."
)
"""What the marks behind a verdict mean."""


@remembered
def verdicts(profile: Profile) -> dict[str, Verdict]:
    """The verdict of every good point by its key, confirmed where the experiments of the profile confirm it."""
    about: dict[str, list[Outcome]] = {}
    for outcome in experiments.of(profile):
        for key in outcome.about:
            about.setdefault(key, []).append(outcome)
    return {
        row.point.key: confirmed(found, about.get(row.point.key, ()))
        for row, found in verdict.readings(profile)
    }


def confirmed(found: Verdict, outcomes: Sequence[Outcome]) -> Verdict:
    """A verdict with what these experiments about its point make of it, in `confirmed` and `reason`."""
    bound = found.bound
    if found.name in ("unknown", "impossible"):
        return found
    if found.name == LATENCY:
        return replace(
            found, reason="no step waits for weights: barriers and the chain of steps are left"
        )
    if bound is None:
        return replace(found, reason="the interval leaves more than one bound open")
    against = _names(outcomes, bound, CONTRADICTS)
    if against:
        return replace(found, reason=f"contradicted by {_listed(against)}")
    example = next((outcome for outcome in outcomes if _shows(outcome)), None)
    if bound == CODE and example is not None and example.quicker is not None:
        who, times = example.rows[1].point.implementation, gain(example.quicker.median)
        reason = f"{who} is {times}\N{MULTIPLICATION SIGN} as fast"
        return replace(found, confirmed=True, reason=reason)
    supporting = _names(outcomes, bound, SUPPORTS)
    excluded = {rival for outcome in outcomes for rival in outcome.answer(bound).excludes}
    left = [rival for rival in _rivals(found) if rival not in {bound, *excluded}]
    if len(supporting) >= AGREEING and not left:
        agree = f"{_listed(supporting)} agree"
        reason = f"{agree}: its time moves as no limit does" if bound == CODE else agree
        return replace(found, confirmed=True, reason=reason)
    if bound == CODE:
        return replace(found, reason="no quicker implementation and no two experiments show it")
    if not supporting:
        return replace(found, reason=_undecided(outcomes))
    if left:
        return replace(found, reason=f"{_listed(supporting)} cannot exclude {_listed(left, 'or')}")
    return replace(found, reason=f"{_listed(supporting)} alone supports it")


def _rivals(found: Verdict) -> tuple[str, ...]:
    """The bounds to exclude. The call is among them where it is named beside: a small floor was measured as such."""
    if found.name == CODE:
        return ()
    return (BANDWIDTH, COMPUTE, CALL) if found.name.endswith(BOTH) else (BANDWIDTH, COMPUTE)


def _shows(outcome: Outcome) -> bool:
    """Whether it is an example of the step done faster, which needs no second experiment."""
    return outcome.experiment == CONTEST and outcome.answer(CODE).word == SUPPORTS


def _undecided(outcomes: Sequence[Outcome]) -> str:
    asked = [name for name in NAMES if any(outcome.experiment == name for outcome in outcomes)]
    return f"{_listed(asked)} decided nothing" if asked else "no point to compare it with"


def _names(outcomes: Sequence[Outcome], bound: str, word: str) -> list[str]:
    said = {outcome.experiment for outcome in outcomes if outcome.answer(bound).word == word}
    return [name for name in NAMES if name in said]


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
