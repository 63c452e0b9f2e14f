"""Shifts between runs, against scipy's own tests; how many runs, by the power of Student's test."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from reports.compare import between_runs

NOTHING = {"kinds": ["time"] * 8, "allowed": 1.05, "asked": 1.05}


def alone(shift):
    """Judged without others at 5 %."""
    return between_runs.Judged(shift, None, 1.05, 1.05, 0.05, 0.05, 0.8)


def logs(runs, points, seed, sd=0.01):
    return sd * np.random.default_rng(seed).standard_normal((runs, points))


@pytest.mark.parametrize("before", [2, 3, 5])
def test_a_shift_without_others_is_welchs(before):
    found = logs(8, 1, before) * np.array([[1.0]] * before + [[5.0]] * (8 - before))
    (one,) = between_runs.shifts(found, before, lending=False)
    known = scipy.stats.ttest_ind(found[before:, 0], found[:before, 0], equal_var=False)
    told = known.confidence_interval(0.9)
    assert one.low(0.05) == pytest.approx(told.low)
    assert one.high(0.05) == pytest.approx(told.high)


def test_what_all_points_of_a_run_share_is_taken_out_and_told_apart():
    found = logs(6, 40, 1) + np.array([0.0, 0.3, -0.2, 0.1, 0.5, 0.4])[:, None]
    rows, common = between_runs.judge(found, 3, ["time"] * 40, 1.05, 1.05)
    assert not any(one.failed for one in rows)
    assert all(one.undecided for one in (*rows, common["time"]))
    assert all(abs(np.log(one.ratio / common["time"].ratio)) < 0.05 for one in rows)
    assert max(one.shift.error for one in rows) < 0.1 * common["time"].shift.error
    assert common["time"].ratio == pytest.approx(np.exp(1.0 / 3 - 0.1 / 3), rel=0.02)


def test_too_few_points_of_a_kind_are_not_centred():
    found = np.vstack([np.zeros((3, 4)), np.full((3, 4), 0.2)]) + logs(6, 4, 2)
    rows, common = between_runs.judge(found, 3, ["time"] * 4, 1.05, 1.05)
    assert not common
    assert all(one.failed for one in rows)


def test_a_point_is_as_slow_as_it_is_and_not_only_as_it_is_beside_the_others():
    """All points four per cent slower and one another four, where five are allowed."""
    found = logs(8, 30, 6, 0.0005)
    found[4:] += np.log(1.04)
    found[4:, 3] += np.log(1.04)
    rows, common = between_runs.judge(found, 4, ["time"] * 30, 1.05, 1.05)
    assert [one.failed for one in rows] == [i == 3 for i in range(30)]
    assert rows[3].ratio == pytest.approx(1.04**2, rel=0.01)
    assert rows[3].low <= rows[3].ratio <= rows[3].high
    assert not common["time"].failed
    assert between_runs.outcome(rows) == "failed"


def test_what_may_be_slower_with_what_all_have_in_common_does_not_pass():
    """The point beside the others is known well, what all have in common is not."""
    found = logs(8, 30, 7, 0.0005) + np.resize([-0.02, 0.02], 8)[:, None]
    found[4:, 3] += np.log(1.04)
    rows, _ = between_runs.judge(found, 4, ["time"] * 30, 1.05, 1.05)
    assert rows[3].ratio < 1.05 < rows[3].high
    assert rows[3].undecided
    assert between_runs.outcome(rows) == "inconclusive"


def test_a_points_own_scatter_is_never_taken_for_less_than_it_is():
    found = logs(6, 30, 3)
    found[:, 7] *= 20
    wild = between_runs.shifts(found, 3, lending=True)[7]
    alone = between_runs.shifts(found[:, [7]], 3, lending=False)[0]
    assert wild.error == alone.error
    assert wild.lent > 0


@pytest.mark.parametrize("sd", [0.01, 0.03])
def test_as_many_runs_as_are_said_to_be_needed_let_what_did_not_change_pass(sd):
    """Simulated by plain Student tests of one point whose deviation is known."""
    one = between_runs.Shift(0.0, sd * np.sqrt(2 / 3), 4.0, 0.0, 3.0)
    asked = np.log(1.05)
    runs = alone(one).needed
    generator = np.random.default_rng(4)

    def passing(count):
        a, b = sd * generator.standard_normal((2, 4000, count))
        test = scipy.stats.ttest_ind(b, a, axis=1)
        return np.mean(test.confidence_interval(0.9).high <= asked)

    assert passing(runs) > 0.75
    assert passing(runs - 1) < 0.85 or runs == between_runs.RUNS


def test_nobody_is_told_to_take_a_thousand_runs():
    assert alone(between_runs.Shift(0.0, 0.5, 4.0, 0.0, 3.0)).needed is None


def test_runs_that_do_not_scatter_at_all_decide():
    rows, _ = between_runs.judge(np.zeros((6, 8)), 3, **NOTHING)
    assert not any(one.failed or one.undecided for one in rows)
    slow = np.zeros((6, 8))
    slow[3:, 2] = 0.1
    rows, _ = between_runs.judge(slow, 3, **NOTHING)
    assert [one.failed for one in rows] == [i == 2 for i in range(8)]


def test_a_side_of_one_run_is_refused():
    with pytest.raises(ValueError, match="one run"):
        between_runs.judge(np.zeros((4, 8)), 1, **NOTHING)
