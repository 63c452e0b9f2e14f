"""What bounds a point by its own figures: the verdict and what it rests on. Thresholds are `kernels.roofline_model`'s.

What other points confirm of such a reading is told by `reports.analysis.confirm`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product

from bench.profile.stats import Estimate
from kernels import roofline_model
from kernels.roofline_model import BANDWIDTH, BOTH, CALL, CODE, COMPUTE

AGAIN = 0.05
"""Paired figures of a step that was visited once move by so much from run to run, whatever their intervals say."""
BETWEEN_RUNS = "not confirmed between runs"
"""What is said of points that were visited once: an interval of one visit does not hold in the next."""

MARK, CONFIRMED = "\N{DAGGER}", "\N{CHECK MARK}"
"""One of them stands behind every verdict that names a bound: not confirmed, or confirmed."""

BOUNDS = (BANDWIDTH, COMPUTE, CALL, CODE)
LATENCY = "latency"
"""Of a sequence whose weights stay on chip: neither bytes nor products take its time."""
KEPT, OWN_CACHE = (CODE, CALL), (CALL,)
"""What reads so of such a sequence. A step of it is no call: what a tiny one takes for each step is the chain of steps,
a barrier in each. Bytes of a core's own cache are charged, and so what they leave unexplained is the code's."""
ORDER = (CALL, BANDWIDTH + BOTH, COMPUTE + BOTH, BANDWIDTH, COMPUTE, CODE, LATENCY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What bounds a point; `reports.analysis.wording` has its words.

    name       overhead, bandwidth, compute, bandwidth + overhead, compute + overhead, implementation, latency,
               mixed, impossible, or unknown
    level      the memory level whose bandwidth it is, where known
    faster     how many times faster the machine allows: time / (limit + floor), where a limit is known
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
    chained: Collection[str],
    visited: bool,
) -> Verdict:
    """The verdict of a point with a roof fraction, by its figures (`points.Row`).

    Mixed where an interval straddles a threshold. Of a point that was not `visited` again the interval is made as wide
    as another run may find it. Of `chained`, what bounds it is the chain of its steps: latency, by another name.
    """
    again = 1.0 if visited else 1 + AGAIN
    faster = 1 / (explained or fraction).median
    if fraction.low / again > roofline_model.IMPOSSIBLE:
        return Verdict("impossible", level, faster, reason="it is faster than its roof allows")
    if overhead is None or explained is None or balance is None:
        reason = "the cost of an empty call was not measured"
        return Verdict("unknown", level, faster, reason=reason)
    ends = [(one.low / again, one.high * again) for one in (overhead, explained, balance)]
    names = {roofline_model.bound(*corner) for corner in product(*ends)}
    found = {LATENCY if name in chained else name for name in names}
    if len(found) > 1:
        return Verdict("mixed", level, faster, tuple(name for name in ORDER if name in found))
    return Verdict(found.pop(), level, faster)
