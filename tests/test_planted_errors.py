"""Errors planted in the formulas fit the code as it stands, and two of them are really planted."""

from __future__ import annotations

import pytest

from tests import planted_errors

ERRORS = planted_errors.all_of_them()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.what)
def test_the_text_of_a_planted_error_stands_once_in_its_file(error):
    if not error.here:
        pytest.skip(f"{error.file} or its tests are not here")
    assert error.times == 1
    assert error.old != error.new


def test_every_file_of_formulas_has_some():
    files = {error.file for error in ERRORS if error.here}
    assert files >= {"kernels/cost.py", "bench/profile/stats.py", "reports/analysis/verdict.py"}
    assert sum(error.here for error in ERRORS) >= 20


@pytest.mark.parametrize("file", ["reports/analysis/elasticity.py", "reports/analysis/verdict.py"])
def test_a_planted_error_is_caught_and_none_where_nothing_is_planted(tmp_path, file):
    planted_errors.copy_tree(tmp_path)
    error = next(error for error in ERRORS if error.file == file)
    assert planted_errors.plant(tmp_path, error)
    assert planted_errors.run_tests(tmp_path, error.tests) == 0
