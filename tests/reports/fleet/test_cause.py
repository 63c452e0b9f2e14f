"""What a slow node is slow in, by which of its figures are."""

from __future__ import annotations

import pytest

from bench.profile.stats import Estimate
from reports.fleet import cause
from reports.fleet.cause import UNEXPLAINED, Held
from reports.fleet.kinds import ARITHMETIC, CACHE, CALL, CLOCK, LIBRARY, MEMORY, STEPS, Figure
from reports.fleet.verdict import SAME, SLOW


def held(kind, name, by=None, device="cpu"):
    """A figure that is slow by a ratio, give or take 2 %; the same as its class without one."""
    ratio = by or 1.0
    return Held(
        Figure(kind, name, device),
        Estimate(ratio, ratio - 0.02, ratio + 0.02),
        SLOW if by else SAME,
    )


def node(**slow):
    """All figures of a node, those named slow by a ratio."""
    kinds = {
        "steps": STEPS,
        "clock": CLOCK,
        "L2": CACHE,
        "products": ARITHMETIC,
        "DRAM": MEMORY,
        "call": CALL,
        "torch": LIBRARY,
        "numba": LIBRARY,
    }
    return [held(kind, name, slow.get(name)) for name, kind in kinds.items()]


@pytest.mark.parametrize(
    ("slow", "causes"),
    [
        ({}, ()),
        ({"DRAM": 1.15, "steps": 1.1, "torch": 1.1, "numba": 1.1}, ("DRAM",)),
        ({"clock": 1.1, "L2": 1.1, "products": 1.1, "call": 1.1, "steps": 1.06}, ("clock",)),
        ({"clock": 1.1, "L2": 1.1, "DRAM": 1.4, "steps": 1.2}, ("clock", "DRAM")),
        ({"L2": 1.2, "products": 1.2, "steps": 1.2}, ("L2", "products")),
        ({"torch": 1.2, "steps": 1.1}, ("torch",)),
        ({"torch": 1.5, "DRAM": 1.1}, ("DRAM", "torch")),
        ({"torch": 1.2, "numba": 1.2, "steps": 1.2}, (UNEXPLAINED,)),
        ({"steps": 1.1}, (UNEXPLAINED,)),
        ({"call": 1.5}, ("call",)),
    ],
    ids=str,
)
def test_a_roof_explains_what_depends_on_it_and_a_clock_everything(slow, causes):
    assert cause.causes(node(**slow)) == causes


def test_a_gpu_s_figures_say_where_they_are():
    assert cause.causes([held(MEMORY, "HBM read", 1.2, "cuda")]) == ("HBM read on cuda",)


def test_the_slowest_figure_is_first():
    found = cause.slow(node(DRAM=1.1, L2=1.3, steps=1.2))
    assert [str(one.figure) for one in found] == ["L2", "steps", "DRAM"]
