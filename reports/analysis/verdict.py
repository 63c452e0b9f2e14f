"""What bounds a point: its verdict, the thresholds, and what it rests on. Pure.

With t the step's time, t_floor the call's own, t_bytes and t_flops what the roofs allow: `explained` is
(t_floor + max(t_bytes, t_flops)) / t. `of` reads a point by itself; what other points confirm of that reading is told
by `reports.analysis.confirm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from bench.profile.records import Profile
from bench.profile.stats import Estimate
from kernels import roofline_model
from kernels.roofline_model import BANDWIDTH, BOTH, CALL, CODE, COMPUTE
from reports.analysis import points
from reports.analysis.points import Row
from reports.analysis.remember import remembered
from reports.analysis.units import gain

AGAIN = 0.05
"""Paired figures of the same step move by so much from run to run within an hour, whatever their intervals say."""

UNCONFIRMED = "no experiment has been asked"
MARK, CONFIRMED = "\N{DAGGER}", "\N{CHECK MARK}"
"""One of them stands behind every verdict that names a bound: not confirmed, or confirmed."""

BOUNDS = (BANDWIDTH, COMPUTE, CALL, CODE)
LATENCY = "latency"
"""Of a sequence whose weights stay on chip: neither bytes nor products take its time."""
ORDER = (CALL, BANDWIDTH + BOTH, COMPUTE + BOTH, BANDWIDTH, COMPUTE, CODE, LATENCY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What bounds a point.

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
    reason: str = UNCONFIRMED
    confirmed: bool = False

    @property
    def bound(self) -> str | None:
        """The one bound that it names, `overhead` beside it left aside; None where it names several or none."""
        name = self.name.removesuffix(BOTH)
        return name if name in BOUNDS else None

    @property
    def text(self) -> str:
        """The verdict in words, without its mark: `bandwidth (DRAM)`, `implementation (2.1× to gain)`."""
        if self.name.startswith(BANDWIDTH) and self.level:
            return self.name.replace(BANDWIDTH, f"{BANDWIDTH} ({self.level})")
        if self.name == CODE and self.faster:
            return f"implementation ({gain(self.faster)}\N{MULTIPLICATION SIGN} to gain)"
        if self.name == LATENCY:
            return "latency (weights on chip)"
        if self.name == "mixed":
            return f"mixed ({' or '.join(self.between)})"
        return self.name

    @property
    def marked(self) -> str:
        """The verdict in words, with its mark where it names a bound."""
        claims = self.name not in ("unknown", "impossible", LATENCY)
        return f"{self.text} {self.mark}" if claims else self.text

    @property
    def mark(self) -> str:
        """Confirmed or not, as one sign."""
        return CONFIRMED if self.confirmed else MARK


@remembered
def readings(profile: Profile) -> tuple[tuple[Row, Verdict], ...]:
    """Every good point with its verdict, read by itself."""
    return tuple((row, of(row)) for row in points.rows(profile))


def of(row: Row) -> Verdict:
    """The verdict of a point. Mixed where an interval, as wide as another run may find it, straddles a threshold."""
    if row.fraction is None:
        return Verdict("unknown", reason=_lacking(row))
    faster = 1 / row.fraction.median
    if row.fraction.low > roofline_model.IMPOSSIBLE:
        return Verdict("impossible", row.level, faster, reason="it is faster than its roof allows")
    if row.overhead is None or row.explained is None or row.balance is None:
        return Verdict(
            "unknown", row.level, faster, reason="the cost of an empty call was not measured"
        )
    found = {
        LATENCY if (name := roofline_model.bound(*ends)) == CODE and row.point.on_chip else name
        for ends in product(_ends(row.overhead), _ends(row.explained), _ends(row.balance))
    }
    if len(found) > 1:
        between = tuple(name for name in ORDER if name in found)
        return Verdict("mixed", row.level, faster, between)
    return Verdict(found.pop(), row.level, faster)


def _ends(value: Estimate) -> tuple[float, float]:
    return value.low / (1 + AGAIN), value.high * (1 + AGAIN)


def _lacking(row: Row) -> str:
    if row.point.bytes is None or row.point.flops is None:
        return "its bytes and FLOPs are not in the profile"
    if not row.point.roof_bytes_per_s:
        return "no read roof was measured beside it"
    if row.t_bytes is None:
        return "no write roof was measured at its thread count"
    return "no arithmetic roof was measured for its dtype and thread count"
