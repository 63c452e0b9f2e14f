"""A profile to draw, and figures that outlive no test."""

from __future__ import annotations

import pytest

from tests.reports import synthetic
from tests.reports.synthetic import profile


@pytest.fixture(autouse=True)
def _closed():
    """No figure outlives its test."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def made():
    """Two implementations, two residencies, two dtypes and two thread counts."""
    cases = [
        {"batch": batch, "residency": r} for batch in (1, 4, 16) for r in ("resident", "streamed")
    ]
    points = [synthetic.point(fraction=0.8, **case) for case in cases]
    points += [
        synthetic.point(fraction=0.6, implementation="torch_gates", **case) for case in cases
    ]
    points += [synthetic.point("gru", dtype="bfloat16"), synthetic.point(threads=1)]
    return profile(points)
