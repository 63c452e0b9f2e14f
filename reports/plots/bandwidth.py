"""Bandwidth against working set: where the caches end, by measurement and by what the system reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.profile.records import Profile
from reports.analysis import roofs, warnings
from reports.analysis.units import giga, size
from reports.plots import chart_data, markers
from reports.plots.style import MUTED, PALETTE, WIDTH, name_of, plain_log, style, trimmed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OTHERS = (("write", "v"), ("copy", "D"), ("triad", "^"))
PALE = 0.3
"""Opacity of where a roof stood beside points."""


def bandwidth_against_working_set(profile: Profile, ax: Axes | None = None) -> Axes | None:
    """The read curve per thread count, levels as bands, reported caches as verticals. None without a read curve."""
    devices = [roof.device for roof in profile.roofs if roof.kind == "read"]
    device = max(sorted(set(devices)), key=devices.count, default="cpu")
    curves = roofs.read_curve(profile, device)
    if not curves:
        return None
    with style():
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(WIDTH, 3.5), layout="constrained")
        plain_log(ax, "x", base=2)
        plain_log(ax, "y")
        for index, (threads, curve) in enumerate(sorted(curves.items(), reverse=True)):
            workers = f"{threads} thread{'' if threads == 1 else 's'}" if threads else device
            look: dict[str, Any] = {
                "color": PALETTE[index % len(PALETTE)],
                "label": f"read, {workers}",
            }
            x, y = [working_set for working_set, _ in curve], [rate / 1e9 for _, rate in curve]
            ax.plot(x, y, marker="o", markersize=2.6, linewidth=1.3, zorder=3, **look)
        moved = _moved(ax, profile, device, sorted(curves, reverse=True))
        rates = [*moved, *_others(ax, profile, device), *(y for c in curves.values() for _, y in c)]
        # Room for the names of the reported caches at the foot.
        ax.set_ylim(min(rates) / 1e9 / 1.5, max(rates) / 1e9 * 1.2)
        _sizes(ax, [x for curve in curves.values() for x, _ in curve])
        _levels(ax, profile, device)
        _caches(ax, profile, device)
        ax.set_xlabel("working set, all threads together")
        ax.set_ylabel("GB/s")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
        return ax


def _moved(ax: Axes, profile: Profile, device: str, workers: list[int]) -> list[float]:
    """Pale bars over the working sets of points: where the read roof stood beside them; returns its rates."""
    rates: list[float] = []
    for index, threads in enumerate(workers):
        bands = {
            working_set: band
            for (count, working_set), band in chart_data.beside(profile, device).items()
            if count == threads
        }
        ends = [((x, low / 1e9), (x, high / 1e9)) for x, (low, high) in bands.items()]
        label = "" if index else "read roof beside the points"
        look: dict[str, Any] = {"color": PALETTE[index % len(PALETTE)], "alpha": PALE}
        markers.segments(ax, ends, linewidth=3.2, zorder=2, label=label or None, **look)
        rates += [rate for band in bands.values() for rate in band]
    return rates


def _others(ax: Axes, profile: Profile, device: str) -> list[float]:
    """The write, copy and triad roofs at all threads, as lighter marks; returns their rates."""
    threads = roofs.all_threads(profile, device)
    rates: list[float] = []
    for kind, marker in OTHERS:
        curve = roofs.read_curve(profile, device, kind).get(-1 if threads is None else threads, [])
        if curve:
            x, y = [working_set for working_set, _ in curve], [rate / 1e9 for _, rate in curve]
            rates += [rate for _, rate in curve]
            look: dict[str, Any] = {
                "color": MUTED,
                "marker": marker,
                "markersize": 3.4,
                "markerfacecolor": "none",
            }
            workers = f", {threads} thread{'' if threads == 1 else 's'}" if threads else ""
            ax.plot(x, y, linestyle="none", label=f"{kind}{workers}", zorder=4, **look)
    return rates


def _sizes(ax: Axes, sizes: list[int]) -> None:
    left, right = min(sizes) / 1.4, max(sizes) * 1.4
    ax.set_xlim(left, right)
    ticks = [1 << power for power in range(10, 50) if left <= 1 << power <= right]
    step = -(-len(ticks) // 8)
    ax.set_xticks(ticks[::step], [size(tick) for tick in ticks[::step]])


def _levels(ax: Axes, profile: Profile, device: str) -> None:
    """Bands from one plateau's end to the next, named above with their bandwidth."""
    left, right = ax.get_xlim()
    start = left
    place: dict[str, Any] = {
        "ha": "center",
        "va": "bottom",
        "fontsize": 6.8,
        "transform": ax.get_xaxis_transform(),
    }
    for index, level in enumerate(roofs.levels(profile, device)):
        end = min(right, level.up_to_bytes or right)
        if end <= start:
            continue
        if index % 2 == 0:
            ax.axvspan(start, end, color=MUTED, alpha=0.08, linewidth=0, zorder=0)
        text = f"{name_of(level.name)}\n{trimmed(giga(level.bytes_per_s))} GB/s"
        ax.text((start * end) ** 0.5, 1.01, text, **place)
        start = end


def _caches(ax: Axes, profile: Profile, device: str) -> None:
    """Dashed verticals where the system says that a cache ends, named at the foot."""
    left, right = ax.get_xlim()
    named = False
    for level, total in warnings.system_caches(profile).items() if device == "cpu" else ():
        if left < total < right:
            look: dict[str, Any] = {
                "color": MUTED,
                "linewidth": 0.8,
                "linestyle": (0, (4, 3)),
                "zorder": 1,
            }
            label = "" if named else "cache, as the system reports it"
            ax.axvline(total, label=label or None, **look)
            named = True
            place: dict[str, Any] = {
                "xycoords": ax.get_xaxis_transform(),
                "textcoords": "offset points",
            }
            text = f"L{level} {size(total)}"
            ax.annotate(text, (total, 0.0), (2, 3), fontsize=6.2, color=MUTED, **place)
