"""`import reports`: the example in its documentation runs, and importing it loads nothing."""

from __future__ import annotations

import doctest
import io
import subprocess
import sys
from pathlib import Path

import pytest

import reports
from bench.profile.journal import write_profile
from reports.analysis.analysis import Analysis
from reports.tables import csv
from tests.reports import synthetic

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_documented_example_runs():
    found = doctest.testmod(reports)
    assert found.attempted >= 8
    assert found.failed == 0


def test_a_table_has_every_point_and_the_columns_of_the_csv(tmp_path):
    import pandas as pd

    names = [str(tmp_path / name) for name in ("one", "two")]
    for name in names:
        Path(name).mkdir()
        write_profile(synthetic.suite(), Path(name))
    table = reports.load(*names)
    made = synthetic.suite()
    assert len(table) == 2 * len(made.points)
    assert list(table.profile.unique()) == names
    written = pd.read_csv(io.StringIO(csv.points_csv(Analysis(made))))
    assert list(table.columns[1:]) == list(written.columns)
    assert table.seconds_median[: len(written)].tolist() == pytest.approx(
        written.seconds_median.tolist(), nan_ok=True
    )


def test_importing_it_loads_no_library():
    code = (
        "import sys, reports\n"
        "heavy = {'torch', 'numba', 'matplotlib', 'pandas', 'numpy', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
