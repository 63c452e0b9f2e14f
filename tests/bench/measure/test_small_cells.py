"""A cell too small for the read probe is measured beside the nearest that the probe can walk, which its point tells."""

from __future__ import annotations

import pytest

from bench.device.device import Walk
from bench.measure import point, probes
from bench.session import point_warnings
from kernels import implementations
from kernels.case import Case


@pytest.mark.parametrize(
    ("sizes", "part", "threads_", "walk"),
    [
        ((1, 1, 1), "cell", 2, {"threads": 1, "set_bytes": 256}),
        ((24, 24, 1), "cell", 64, {"threads": 19, "set_bytes": 4864}),
        ((1, 1, 1), "pointwise", 1, {"threads": 1, "set_bytes": 256}),
        ((8, 8, 1), "cell", 1, None),
    ],
)
def test_beside_a_set_too_small_for_the_read_probe_it_walks_what_it_can(
    context, sizes, part, threads_, walk
):
    """Fewer threads first; then a larger set. A turn of the smallest variant is 256 bytes."""
    case = Case("rnn", *sizes, part=part, threads=threads_)
    found = point.point(context, case, "torch_cell", implementations.load("torch_cell"), order=0)
    assert (found.status, found.reason, found.roof_walk) == ("ok", None, walk)
    told = point_warnings.of_small_sets([found])
    assert [warning.about for warning in told] == ([found.key] if walk else [])


def test_a_walk_over_larger_sets_takes_no_more_memory(context):
    found = probes.nearest(context, Walk(64, 1000, threads=8, times=2))
    assert found == Walk(256, 250, threads=1, times=2)
