"""Two pictures of a fleet: its nodes by rank with their intervals, and a map of nodes by figures."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D

from bench.profile.errors import printable
from reports.fleet.classes import MachineClass, Node
from reports.fleet.fleet import Fleet
from reports.fleet.kinds import Figure
from reports.fleet.verdict import FAST, SAME, SLOW, UNTOLD
from reports.plots import figures
from reports.plots.style import GRID, MUTED, PALETTE, PAPER, name_of

RANKED, MAP = "ranked", "nodes_by_figures"
LOOKS = {
    SLOW: (PALETTE[1], "s"),
    FAST: (PALETTE[0], "^"),
    SAME: (PALETTE[2], "o"),
    UNTOLD: (MUTED, "o"),
}
"""Colour and mark of a verdict."""
MOST_CLASSES = 4
"""Classes that have a panel, the largest ones."""
NAMED, NOTED = 40, 12
"""As many nodes can be named along an axis; of more the slow ones are, so many of them."""
MOST_ROWS, NUMBERED = 48, 30
"""Nodes of the map, those that are farthest from their class; so few that numbers can be read."""
SMALL = 1.6
LONGEST_LABEL = 80
DEEPEST = 20.0
"""Per cent at which the colours of the map end."""
ROW_INCHES, PANEL_INCHES = 0.17, 2.0


def ranked(fleet: Fleet) -> Any:
    """Per class its nodes, the slowest first, by how much their steps are slower; None without any."""
    import matplotlib.pyplot as plt

    shown = [one for one in fleet.classes if any(node.steps for node in one.nodes)][:MOST_CLASSES]
    if not shown:
        return None
    with figures.style():
        figure, axes = plt.subplots(
            len(shown),
            1,
            figsize=(figures.WIDTH, PANEL_INCHES * len(shown) + 0.6),
            squeeze=False,
            layout="constrained",
        )
        for one, ax in zip(shown, axes.flat, strict=True):
            _class(ax, one, 100 * (fleet.slower - 1))
        used = {node.word for one in shown for node in one.nodes} & LOOKS.keys()
        handles = [
            Line2D([], [], color=colour, marker=mark, linestyle="none", markersize=4, label=word)
            for word, (colour, mark) in LOOKS.items()
            if word in used
        ]
        if handles:
            figures.legend(figure, handles)
        return axes


def _class(ax: Axes, one: MachineClass, asked: float) -> None:
    """One class: marks, intervals, and the band within which nobody asks."""
    nodes = [node for node in one.nodes if node.steps]
    nodes.sort(key=lambda node: -_slower(node.steps.median if node.steps else 1.0))
    ax.set_title(f"{_printable(one.label)}, {len(nodes)} nodes")
    ax.set_ylabel("steps slower by, %")
    ax.axhspan(-asked, asked, color=GRID, alpha=0.6, zorder=1, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=0.6, zorder=1)
    few = len(nodes) <= NAMED
    if not few:
        _band(ax, nodes)
    for word, (colour, mark) in LOOKS.items():
        places = [
            (rank, node.steps)
            for rank, node in enumerate(nodes)
            if node.steps and (node.word or UNTOLD) == word
        ]
        common: dict[str, Any] = {"color": colour, "zorder": 3}
        if few or word in (SLOW, FAST):
            ends = [
                ((rank, _slower(each.low)), (rank, _slower(each.high)))
                for rank, each in places
                if each.low > 0 and isfinite(each.high)
            ]
            figures.segments(ax, ends, linewidth=0.8, **common)
        ax.plot(
            [rank for rank, _ in places],
            [_slower(each.median) for _, each in places],
            marker=mark,
            linestyle="none",
            markersize=figures.SIZE if few else SMALL,
            rasterized=len(places) > figures.MANY,
            **common,
        )
    if few:
        ax.set_xticks(range(len(nodes)), [name_of(node.name) for node in nodes], rotation=90)
    else:
        ax.set_xlabel("nodes by rank")
        for rank, node in enumerate(nodes):
            if node.word == SLOW and rank < NOTED and node.steps:
                place = (rank, _slower(node.steps.median))
                ax.annotate(
                    name_of(node.name), place, (4, 0), textcoords="offset points", fontsize=6
                )
    ax.set_xlim(-0.02 * len(nodes) - 0.5, 1.02 * len(nodes) - 0.5)


def _band(ax: Axes, nodes: Sequence[Node]) -> None:
    """The intervals of very many nodes as one band."""
    known = [(rank, node.steps) for rank, node in enumerate(nodes) if node.steps]
    known = [(rank, each) for rank, each in known if each.low > 0 and isfinite(each.high)]
    if known:
        ranks = [rank for rank, _ in known]
        lows = [_slower(each.low) for _, each in known]
        highs = [_slower(each.high) for _, each in known]
        ax.fill_between(
            ranks, lows, highs, color=MUTED, alpha=0.2, linewidth=0, step="mid", zorder=2
        )


def by_figures(fleet: Fleet) -> Any:
    """Nodes by figures, coloured by how much slower each is; None without any."""
    import matplotlib.pyplot as plt

    known: list[Figure] = list(
        dict.fromkeys(figure for one in fleet.classes for figure in one.figures)
    )
    nodes = rows(fleet)
    if not nodes or not known:
        return None
    values = np.full((len(nodes), len(known)), np.nan)
    for row, node in enumerate(nodes):
        for held in node.held:
            values[row, known.index(held.figure)] = _slower(held.ratio.median)
    colours = LinearSegmentedColormap.from_list("slower", [PALETTE[0], PAPER, PALETTE[1]])
    with figures.style():
        height = ROW_INCHES * len(nodes) + 1.6
        figure, ax = plt.subplots(figsize=(figures.WIDTH, height), layout="constrained")
        image = ax.imshow(values, cmap=colours, vmin=-DEEPEST, vmax=DEEPEST, aspect="auto")
        ax.grid(visible=False)
        ax.set_xticks(range(len(known)), [name_of(str(one)) for one in known], rotation=90)
        names = [f"{name_of(node.name)}{' (slow)' * (node.word == SLOW)}" for node in nodes]
        ax.set_yticks(range(len(nodes)), names)
        if len(nodes) <= NUMBERED:
            _numbers(ax, values)
        figure.colorbar(
            image, ax=ax, label="slower by, %", shrink=min(1.0, 3.0 / height), extend="both"
        )
        return ax


def rows(fleet: Fleet) -> list[Node]:
    """The nodes of the map, in the order of their rank: all, or those that have a figure farthest from their class."""

    def farthest(node: Node) -> tuple[bool, float]:
        return node.word == SLOW, max(abs(_slower(one.ratio.median)) for one in node.held)

    held = [node for node in fleet.nodes if node.held]
    kept = {node.name for node in sorted(held, key=farthest, reverse=True)[:MOST_ROWS]}
    return [node for node in held if node.name in kept]


def _numbers(ax: Axes, values: Any) -> None:
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.0f}".replace("-0", "0")
            ax.text(column, row, text, ha="center", va="center", fontsize=5.5)


def _printable(label: str) -> str:
    """A class's name as a title can hold it: a panel is as wide as the page."""
    shown = printable(label)
    return shown if len(shown) <= LONGEST_LABEL else f"{shown[:LONGEST_LABEL]} ..."


def _slower(ratio: float) -> float:
    """Per cent."""
    return 100 * (ratio - 1)


def captions(fleet: Fleet) -> tuple[tuple[str, str, str], ...]:
    """Name, title and caption of each picture."""
    few, every = len(rows(fleet)), len(fleet.nodes)
    which = "All nodes." if few >= every else f"The {few} of {every} farthest from their class."
    of_ranks = (
        "How much longer the steps of a node take than those of the other nodes of its class, with an interval that "
        f"holds for all nodes at once. The grey band is {100 * (fleet.slower - 1):g} % either way."
    )
    of_map = (
        f"{which} How much slower each is than its class, per cent: its steps, its roofs, each implementation. "
        f"Colours end at {DEEPEST:g} %."
    )
    return (RANKED, "Nodes by rank", of_ranks), (MAP, "Nodes by figures", of_map)
