"""A fleet as metrics: the text that node_exporter's textfile collector takes, or any reader of OpenMetrics. Pure."""

from collections.abc import Iterable, Iterator
from math import inf

from reports.fleet.fleet import Fleet
from reports.fleet.verdict import SLOW

PREFIX = "rnn_roofline_fleet"


def text(fleet: Fleet) -> str:
    """Gauges of every node: ratios of times to those of its class, whether it is slow; and the share of near nodes."""
    parts = [
        _gauge("node_slow", "1 where the node is slow, 0 where it is judged and not", _slow(fleet)),
        _gauge(
            "node_time_ratio",
            "time over that of the other nodes of its class, by figure",
            _ratios(fleet),
        ),
        _gauge(
            "class_smallest_slowdown_ratio",
            "the smallest slowdown of all steps that the passes could tell",
            (({"class": one.label}, one.smallest) for one in fleet.classes if one.smallest),
        ),
        _gauge(
            "class_nodes",
            "nodes that were measured",
            (({"class": one.label}, len(one.nodes)) for one in fleet.classes),
        ),
        _gauge("nodes_not_judged", "nodes that gave nothing to judge", [({}, len(fleet.unjudged))]),
    ]
    if fleet.near:
        within = {"within": f"{100 * (fleet.within - 1):g} %"}
        shares = [({"end": end} | within, value) for end, value in fleet.near._asdict().items()]
        parts.append(_gauge("nodes_near_ratio", "share of judged nodes near their class", shares))
    return "".join([*parts, "# EOF\n"])


def _slow(fleet: Fleet) -> Iterator[tuple[dict[str, str], float]]:
    for one in fleet.classes:
        for node in one.nodes:
            if node.word is not None:
                yield {"node": node.name, "class": one.label}, float(node.word == SLOW)


def _ratios(fleet: Fleet) -> Iterator[tuple[dict[str, str], float]]:
    for node in fleet.nodes:
        for held in node.held:
            if 0 < held.ratio.median < inf:
                yield {"node": node.name, "figure": str(held.figure)}, held.ratio.median


def _gauge(name: str, help_: str, samples: Iterable[tuple[dict[str, str], float]]) -> str:
    """A family of gauges; without a sample nothing."""
    written = [f"{PREFIX}_{name}{_labels(labels)} {float(value)!r}\n" for labels, value in samples]
    if not written:
        return ""
    head = f"# HELP {PREFIX}_{name} {help_}\n# TYPE {PREFIX}_{name} gauge\n"
    return head + "".join(written)


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
