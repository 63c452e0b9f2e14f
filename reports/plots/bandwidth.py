"""Bandwidth against working set: where the caches end, by measurement and by what the system reports."""

from itertools import cycle
from typing import Any

from matplotlib.axes import Axes

from reports.analysis.wording import size
from reports.plots.chart_data import Charts, Setup
from reports.plots.figures import WIDTH, plain_log, segments, style
from reports.plots.style import MUTED, PALETTE, name_of

OTHERS = {"write": "v", "copy": "D", "triad": "^"}


def draw(charts: Charts) -> Axes | None:
    """The read curve per thread count, levels as bands, reported caches as verticals. None without a read curve."""
    setups = [one for one in charts.setups if any(c.kind == "read" for c in one.curves)]
    if not setups:
        return None
    main = max(setups, key=lambda one: one.threads)
    beside = {one.threads: one.beside for one in setups if one.device == main.device}
    reads = [curve for curve in main.curves if curve.kind == "read"]
    import matplotlib.pyplot as plt

    with style():
        _, ax = plt.subplots(figsize=(WIDTH, 3.5), layout="constrained")
        plain_log(ax, "x", base=2)
        plain_log(ax, "y")
        look: dict[str, Any]
        for curve, colour in zip(reads, cycle(PALETTE), strict=False):
            look = {"marker": "o", "markersize": 2.6, "linewidth": 1.3, "zorder": 3}
            ax.plot(*zip(*curve.places, strict=True), color=colour, label=curve.name, **look)
        label: str | None = "read roof beside the points"
        for curve, colour in zip(reads, cycle(PALETTE), strict=False):
            # Pale bars over the working sets of points: where the read roof stood beside them.
            own = beside.get(curve.threads, {}).items()
            bars = [((at, low), (at, high)) for at, (low, high) in own]
            look = {"color": colour, "alpha": 0.3, "linewidth": 3.2, "zorder": 2}
            segments(ax, bars, label=label, **look)
            label = None
        for curve in main.curves:
            if curve.kind in OTHERS:
                look = {"marker": OTHERS[curve.kind], "markersize": 3.4, "markerfacecolor": "none"}
                look |= {"color": MUTED, "linestyle": "none", "zorder": 4}
                ax.plot(*zip(*curve.places, strict=True), label=curve.name, **look)
        rates = [rate for bands in beside.values() for band in bands.values() for rate in band]
        rates += [rate for curve in main.curves for _, rate in curve.places]
        # Room for the names of the reported caches at the foot.
        ax.set_ylim(min(rates) / 1.5, max(rates) * 1.2)
        _sizes(ax, [at for curve in reads for at, _ in curve.places])
        _levels(ax, main)
        _caches(ax, main)
        ax.set(xlabel="working set, all threads together", ylabel="GB/s")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
        return ax


def _sizes(ax: Axes, sizes: list[int]) -> None:
    left, right = min(sizes) / 1.4, max(sizes) * 1.4
    ax.set_xlim(left, right)
    ticks = [1 << power for power in range(10, 50) if left <= 1 << power <= right]
    step = -(-len(ticks) // 8)
    ax.set_xticks(ticks[::step], [size(tick) for tick in ticks[::step]])


def _levels(ax: Axes, setup: Setup) -> None:
    """Bands from one plateau's end to the next, named above with their bandwidth."""
    start, right = ax.get_xlim()
    place: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 6.8}
    for index, level in enumerate(setup.plateaus):
        end = min(right, level.up_to_bytes or right)
        if end <= start:
            continue
        if index % 2 == 0:
            ax.axvspan(start, end, color=MUTED, alpha=0.08, linewidth=0, zorder=0)
        text = f"{name_of(level.name)}\n{level.value}"
        ax.text((start * end) ** 0.5, 1.01, text, transform=ax.get_xaxis_transform(), **place)
        start = end


def _caches(ax: Axes, setup: Setup) -> None:
    """Dashed verticals where the system says that a cache ends, named at the foot."""
    left, right = ax.get_xlim()
    dashes: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 1}
    text: dict[str, Any] = {"fontsize": 6.2, "color": MUTED, "textcoords": "offset points"}
    label: str | None = "cache, as the system reports it"
    for name, end in setup.caches:
        if left < end < right:
            ax.axvline(end, color=MUTED, label=label, **dashes)
            ax.annotate(name, (end, 0.0), (2, 3), xycoords=ax.get_xaxis_transform(), **text)
            label = None
