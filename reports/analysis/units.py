"""Numbers as people read them: three significant digits, no exponents, one unit per column."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10

from bench.profile.stats import Estimate

ABSENT = "\N{EN DASH}"
"""What stands where a figure is missing."""

TIMES = ((1e-6, "ns", 1e9), (1e-3, "µs", 1e6), (1.0, "ms", 1e3))
SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def number(value: float | None) -> str:
    """Three significant digits, thousands set apart, never an exponent: 0.0123, 4.56, 78.9, 12,300."""
    if value is None:
        return ABSENT
    if not value:
        return "0"
    decimals = max(0, min(9, 2 - floor(log10(abs(value)))))
    text = f"{value:,.{decimals}f}"
    # 9.996 becomes 10.00: four digits, one more than its neighbours show.
    return (
        f"{value:,.{decimals - 1}f}"
        if decimals and sum(map(str.isdigit, text.lstrip("0."))) > 3
        else text
    )


def percent(value: float | None) -> str:
    """A fraction in per cent: 0.873 is 87 %, 0.0123 is 1.2 %, and 0.9987 is 99.9 %, for it is not all."""
    if value is None:
        return ABSENT
    fine = abs(value) < 0.0995 or 0.995 <= value < 1
    return f"{100 * value:.1f} %" if fine else f"{100 * value:.0f} %"


def percent_range(value: Estimate | None) -> str:
    """The interval of a fraction in per cent: 85–89 %."""
    if value is None:
        return ABSENT
    low, high = percent(value.low), percent(value.high)
    return low if low == high else f"{low.removesuffix(' %')}\N{EN DASH}{high}"


def span(value: Estimate | None, factor: float = 1.0) -> str:
    """The interval of an estimate, times `factor`: 638–650."""
    if value is None:
        return ABSENT
    low, high = number(value.low * factor), number(value.high * factor)
    return low if low == high else f"{low}\N{EN DASH}{high}"


def time_unit(seconds: Iterable[float]) -> tuple[str, float]:
    """The unit that suits a column of times, by its middle one, and the factor from seconds."""
    ordered = sorted(seconds)
    middle = ordered[len(ordered) // 2] if ordered else 1e-4
    return next(((unit, factor) for below, unit, factor in TIMES if middle < below), ("s", 1.0))


def size(count: float | None) -> str:
    """Bytes in the binary units caches are sold in: 32 KiB, 1.5 MiB."""
    if count is None:
        return ABSENT
    for least, unit in SIZES:
        if count >= least:
            return (
                f"{count / least:,.4g} {unit}"
                if count < 1024 * least
                else f"{count / least:,.0f} {unit}"
            )
    return f"{count:.0f} B"


def giga(per_s: float | None) -> str:
    """A rate per second in units of 10^9."""
    return ABSENT if per_s is None else number(per_s / 1e9)


def gain(factor: float) -> str:
    """A factor of speed, to two digits: 2.1, 24."""
    return f"{factor:.1f}" if factor < 9.95 else f"{factor:,.0f}"


def decimal(value: float) -> str:
    """Two decimals with a true minus sign, and no minus zero: 0.97, −0.12."""
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "\N{MINUS SIGN}")
