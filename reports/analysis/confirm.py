"""Which verdicts are confirmed: readings of single points held against the experiments between them. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from kernels.roofline_model import BANDWIDTH, BOTH, CALL, CODE, COMPUTE
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.experiments import NAMES, ON_EVEN, ON_ODD, Outcome, shared
from reports.analysis.points import Row
from reports.analysis.verdict import BETWEEN_RUNS, LATENCY, Verdict
from reports.analysis.wording import TIMES, gain

AGREEING = 2
"""So many different experiments must support a bound of the machine or of the call.

Of a point with many visits they must not all have looked at the same ones. One of those that support bandwidth must
have moved a roof, so far that a step which stands still is told from one that follows it: half the bytes take a core
half the time, and another sequence takes neither longer. Products and calls need none: whether memory holds a step up
that takes as long as its products, the experiments that exclude bandwidth tell.
"""


def verdicts(
    readings: Sequence[tuple[Row, Verdict]],
    outcomes: Sequence[Outcome],
    disturbed: Collection[str] = (),
) -> dict[str, Verdict]:
    """The verdict of every good point by its key, confirmed where these experiments confirm it.

    Nothing confirms a point that was visited once, or that is `disturbed`: another process ran beside it.
    """
    about: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        for key in outcome.about:
            about.setdefault(key, []).append(outcome)
    return {
        row.key: replace(found, reason="another process ran beside it")
        if row.key in disturbed and found.bound
        else confirmed(
            found, about.get(row.key, ()), visited=row.sampled.visited, apart=shared(row)
        )
        for row, found in readings
    }


def confirmed(
    found: Verdict, outcomes: Sequence[Outcome], *, visited: bool = True, apart: bool = False
) -> Verdict:
    """A verdict with what these experiments about its point make of it, in `confirmed` and `reason`.

    A point that was not `visited` again is confirmed by none. `apart`: experiments look at different visits of it.
    """
    if found.name in ("unknown", "impossible"):
        return found
    sure, reason = _settled(found, outcomes, apart)
    if sure and not visited:
        sure, reason = False, BETWEEN_RUNS
    return replace(found, confirmed=sure, reason=reason)


def _settled(found: Verdict, outcomes: Sequence[Outcome], apart: bool) -> tuple[bool, str]:
    bound = found.bound
    if found.name == LATENCY:
        return False, "weights stay on chip: what is left is the chain of steps, a barrier in each"
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
    moved = any(one.moved and one.answer(bound).word == SUPPORTS for one in outcomes)
    still = bound == BANDWIDTH and not moved
    alike = apart and any(same.issuperset(supporting) for same in (ON_ODD, ON_EVEN))
    if len(supporting) >= AGREEING and not (left or still or alike):
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
    if len(supporting) >= AGREEING:
        but = "no roof moved" if still else "by the same visits"
        return False, f"{_listed(supporting)} agree, but {but}"
    return False, f"{_listed(supporting)} alone supports it"


def _names(outcomes: Sequence[Outcome], bound: str, word: str) -> list[str]:
    said = {outcome.experiment for outcome in outcomes if outcome.answer(bound).word == word}
    return [name for name in NAMES if name in said]


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
