"""What stands beside the pointer that rests on a point of the page."""

from html import escape

from bench.profile.stats import Estimate
from kernels.case import Case
from reports.analysis.points import Row
from reports.analysis.verdict import Verdict
from reports.analysis.wording import (
    giga,
    marked,
    number,
    percent,
    percent_range,
    setting,
    span,
    time_unit,
)


def words(case: Case, fetched: tuple[str, ...]) -> str:
    """A case without its batch; what one step must fetch and another need not are two cases."""
    once = " and ".join(name for name in ("W", "U") if name not in fetched)
    return setting(case) + (f", {once} read once a call" if once else "")


def hover(row: Row, verdict: Verdict) -> str:
    """A point's case, figures and verdict, in the HTML that Plotly reads; a profile's words stay words."""
    point, floor, counted = row.point, row.point.floor_seconds, row.counted_intensity
    unit, factor = time_unit([row.seconds.median])

    def time(seconds: float) -> str:
        return f"{number(seconds * factor)} {unit}"

    def middle(value: Estimate | None) -> str:
        return time(value.median) if value else ""

    reason = f": {verdict.reason}" if verdict.reason else ""
    lines = [
        point.implementation,
        f"time {time(row.seconds.median)} ({span(row.seconds, factor)})",
        f"{giga(row.bytes_per_s)} GB/s, {giga(row.flop_per_s)} GFLOP/s, {number(row.intensity)} FLOP/byte",
        f"{percent(row.fraction.median)} of its roof ({percent_range(row.fraction)})"
        if row.fraction
        else "no roof to hold it against",
        f"verdict: {marked(verdict)}{reason}",
    ]
    if row.limit:
        parts = f"bytes {middle(row.t_bytes)}, FLOPs {middle(row.t_flops)}"
        lines.append(f"roofs allow {middle(row.limit)}: {parts}")
    if floor is not None:
        lines.append(f"floor of a call {time(floor)}")
    modelled = counted is None
    lines.append("bytes modelled" if modelled else f"bytes counted: {number(counted)} FLOP/byte")
    heading = escape(f"{words(row.case, point.fetched)}, batch {row.case.batch}", quote=False)
    return "<br>".join([f"<b>{heading}</b>", *(escape(line, quote=False) for line in lines)])
