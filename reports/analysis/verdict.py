"""What bounds a point by its own figures: the verdict and what it rests on. Thresholds are `kernels.roofline_model`'s.

What other points confirm of such a reading is told by `reports.analysis.confirm`.
"""

from dataclasses import dataclass
from itertools import product

from bench.profile.stats import Estimate
from kernels import roofline_model
from kernels.roofline_model import BANDWIDTH, BOTH, CALL, CODE, COMPUTE

AGAIN = 0.05
"""Paired figures of the same step move by so much from run to run within an hour, whatever their intervals say."""

MARK, CONFIRMED = "\N{DAGGER}", "\N{CHECK MARK}"
"""One of them stands behind every verdict that names a bound: not confirmed, or confirmed."""

BOUNDS = (BANDWIDTH, COMPUTE, CALL, CODE)
LATENCY = "latency"
"""Of a sequence whose weights stay on chip: neither bytes nor products take its time."""
ORDER = (CALL, BANDWIDTH + BOTH, COMPUTE + BOTH, BANDWIDTH, COMPUTE, CODE, LATENCY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What bounds a point; `reports.analysis.wording` has its words.

    name       overhead, bandwidth, compute, bandwidth + overhead, compute + overhead, implementation, latency,
               mixed, impossible, or unknown
    level      the memory level whose bandwidth it is, where known
    faster     how many times faster the machine allows (time / limit), where a limit is known
    between    the verdicts a mixed one lies between
    reason     why it is unknown, what confirms it, or why nothing does
    confirmed  whether independent experiments agree
    """

    name: str
    level: str | None = None
    faster: float | None = None
    between: tuple[str, ...] = ()
    reason: str = "no experiment has been asked"
    confirmed: bool = False

    @property
    def bound(self) -> str | None:
        """The one bound that it names, `overhead` beside it left aside; None where it names several or none."""
        name = self.name.removesuffix(BOTH)
        return name if name in BOUNDS else None

    @property
    def mark(self) -> str:
        """Confirmed or not, as one sign."""
        return CONFIRMED if self.confirmed else MARK


def reading(
    fraction: Estimate,
    explained: Estimate | None,
    overhead: Estimate | None,
    balance: Estimate | None,
    level: str | None,
    *,
    persistent: bool,
) -> Verdict:
    """The verdict of a point with a roof fraction, by its figures (`points.Row`).

    Mixed where an interval, as wide as another run may find it, straddles a threshold. `persistent`: its weights stay
    on chip, and no step waits for them. Nor is a step of it a call: what a tiny sequence takes for each of its steps is
    the chain of steps too.
    """
    faster = 1 / fraction.median
    if fraction.low > roofline_model.IMPOSSIBLE:
        return Verdict("impossible", level, faster, reason="it is faster than its roof allows")
    if overhead is None or explained is None or balance is None:
        reason = "the cost of an empty call was not measured"
        return Verdict("unknown", level, faster, reason=reason)
    found = {
        LATENCY if (name := roofline_model.bound(*ends)) in (CODE, CALL) and persistent else name
        for ends in product(_ends(overhead), _ends(explained), _ends(balance))
    }
    if len(found) > 1:
        return Verdict("mixed", level, faster, tuple(name for name in ORDER if name in found))
    return Verdict(found.pop(), level, faster)


def _ends(value: Estimate) -> tuple[float, float]:
    return value.low / (1 + AGAIN), value.high * (1 + AGAIN)
