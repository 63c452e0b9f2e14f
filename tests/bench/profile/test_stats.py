"""Medians and their intervals, against the standard library, numpy, and binomial sums in whole numbers."""

from __future__ import annotations

import random
import statistics
from fractions import Fraction
from math import comb, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as distributions

from bench.profile import stats

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def holding(n, k):
    """Probability that the k-th smallest and the k-th largest of n values hold the median between them."""
    return 1 - Fraction(2 * sum(comb(n, i) for i in range(k)), 2**n)


def rank(n, confidence=Fraction(95, 100)):
    """The largest k that holds the median often enough, in whole numbers; at least 1."""
    most = [k for k in range(1, n // 2 + 1) if holding(n, k) >= confidence]
    return max(most, default=1)


@given(numbers)
def test_the_median_is_the_standard_librarys(values):
    assert stats.median(values) == pytest.approx(statistics.median(values))


def test_the_median_of_an_odd_count_is_the_middle_and_of_an_even_count_between_the_middles():
    assert stats.median([9, 1, 5]) == 5
    assert stats.median([9, 1, 5, 2]) == 3.5
    assert stats.median([4]) == 4


@given(numbers, st.floats(0, 1))
def test_a_quantile_is_numpys(values, q):
    assert stats.quantile(values, q) == pytest.approx(float(np.quantile(values, q)), abs=1e-6)


@pytest.mark.parametrize(
    "function", [stats.median, lambda values: stats.quantile(values, 0.5), stats.estimate]
)
def test_nothing_has_no_median(function):
    with pytest.raises(ValueError, match=r"no (values|median)"):
        function([])


@pytest.mark.parametrize("n", [*range(6, 60), 99, 100, 399, 400, 1000, 1023])
def test_the_interval_ends_between_two_ranks(n):
    """Within those of the narrowest that holds the median 95 times in 100, and beyond those of the next."""
    k = rank(n)
    values = list(range(1, n + 1))
    random.Random(n).shuffle(values)
    found = stats.estimate(values)
    assert k <= found.low < k + 1
    assert found.low + found.high == pytest.approx(n + 1)


@pytest.mark.parametrize("n", [1024, 1500, 4096])
def test_the_interval_of_very_many_values_holds_it_as_often_and_is_at_most_two_ranks_wider(n):
    k = int(stats.estimate(range(1, n + 1)).low)
    assert holding(n, k) >= Fraction(95, 100)
    assert holding(n, k + 2) < Fraction(95, 100)


@pytest.mark.parametrize("n", [6, 7, 8, 9, 10, 12, 16, 24, 48])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_interpolated_interval_holds_the_median_as_often_as_it_says(n, draw):
    """Simulated: 20,000 samples each. Whole ranks would hold it in up to 98 of 100."""
    generator = np.random.default_rng(n)
    ordered = np.sort(getattr(generator, f"standard_{draw}")((20_000, n)), axis=1)
    ends = [stats.estimate(range(n)).low, stats.estimate(range(n)).high]
    low, high = (
        ordered[:, int(end)] * (1 - end % 1) + ordered[:, min(int(end) + 1, n - 1)] * (end % 1)
        for end in ends
    )
    true = 0.0 if draw == "normal" else np.log(2)
    assert np.mean((low <= true) & (true <= high)) == pytest.approx(0.95, abs=0.008)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_of_fewer_than_six_values_it_gives_the_extremes(n):
    assert stats.estimate(range(n)) == (statistics.median(range(n)), 0, n - 1)


@pytest.mark.parametrize("n", [20, 400])
def test_more_confidence_takes_a_wider_interval(n):
    wide, narrow = stats.estimate(range(n), 0.99), stats.estimate(range(n), 0.9)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_more_confidence_takes_a_wider_interval_of_very_many_values():
    test_more_confidence_takes_a_wider_interval(2000)


def test_both_tails_count_to_their_ends():
    """Of 6 values the second and the fifth hold the median 50 times in 64: just that is asked for."""
    assert holding(6, 2) == Fraction(50, 64)
    found = stats.estimate(range(1, 7), 50 / 64)
    assert found == pytest.approx((3.5, 2, 5))


@given(numbers)
def test_the_interval_holds_the_sample_median(values):
    found = stats.estimate(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)


def test_half_width_is_a_fraction_of_the_median():
    assert stats.Estimate(2.0, 1.5, 2.5).half_width == 0.25
    assert stats.Estimate(0.0, -1.0, 1.0).half_width == inf


class Rounds:
    def __init__(self, rounds):
        self.rounds = rounds


def test_values_are_cut_into_their_visits():
    visits = [Rounds(2), Rounds(3)]
    assert stats.by_visit([1, 2, 3, 4, 5], visits) == [[1, 2], [3, 4, 5]]
    assert stats.by_visit([1, 2, 3], None) == [[1, 2, 3]]
    assert stats.by_visit([], visits) == []
    assert stats.by_visit([1, 2, 3], [Rounds(0), Rounds(2)]) == [[1, 2], [3]]


def test_the_interval_over_visits_is_students_of_their_logarithms():
    """scipy's own t-interval, of three visits."""
    medians = [1.0, 1.1, 1.3]
    logs = np.log(medians)
    low, high = distributions.t.interval(0.95, 2, loc=logs.mean(), scale=distributions.sem(logs))
    found = stats.of_visits(medians)
    assert found == pytest.approx((np.exp(logs.mean()), np.exp(low), np.exp(high)))


def test_one_visit_takes_the_spread_of_others_and_without_them_tells_nothing():
    found = stats.of_visits([2.0], stats.Spread(0.01, 8))
    assert found.high == pytest.approx(2 * np.exp(0.1 * distributions.t.ppf(0.975, 8)))
    with pytest.raises(ValueError, match="prior"):
        stats.of_visits([2.0])


@pytest.mark.parametrize("freedom", [3, 8, 20])
def test_the_prior_is_found_again(freedom):
    """Variances drawn as the model says: scaled inverse chi-squared, then three visits each."""
    generator = np.random.default_rng(freedom)
    true = 4e-4 * freedom / generator.chisquare(freedom, 20_000)
    seen = true * generator.chisquare(2, 20_000) / 2
    found = stats.prior(stats.Spread(one, 2) for one in seen.tolist())
    assert found.variance == pytest.approx(4e-4, rel=0.05)
    assert found.freedom == pytest.approx(freedom, rel=0.2)


def test_variances_that_are_all_equal_have_a_prior_without_scatter():
    generator = np.random.default_rng(5)
    seen = 4e-4 * generator.chisquare(2, 20_000) / 2
    found = stats.prior(stats.Spread(one, 2) for one in seen.tolist())
    assert found.freedom > 30
    assert found.variance == pytest.approx(4e-4, rel=0.05)


def test_samples_that_were_copied_tell_no_spread():
    assert stats.prior([stats.Spread(0.0, 2)] * 10) is None
    assert stats.prior([stats.Spread(1e-4, 2)] * 2) is None


def test_a_moderated_variance_lies_between_its_own_and_the_priors():
    assert stats.moderated(1.0, 2, stats.Spread(4.0, 6)) == stats.Spread(3.25, 8)
    assert stats.moderated(1.0, 2, stats.Spread(4.0, inf)) == stats.Spread(4.0, inf)
    assert stats.moderated(1.0, 2, None) == stats.Spread(1.0, 2)


@pytest.mark.parametrize("freedom", [1, 2.5, 7, 300])
def test_the_quantile_of_student_is_scipys(freedom):
    assert stats.student(0.975, freedom) == pytest.approx(distributions.t.ppf(0.975, freedom))


def test_the_quantile_of_student_with_endless_freedom_is_the_normal_ones():
    assert stats.student(0.975, inf) == pytest.approx(distributions.norm.ppf(0.975))


def test_the_interval_of_a_ratio_holds_it_as_often_as_those_of_its_two_sides_hold_theirs():
    """Simulated: two lognormal figures with their exact intervals, 20,000 times; worst ends would hold it 99 times."""
    generator = np.random.default_rng(1)
    held = 0
    reach = 1.959964
    for one, other in generator.normal(0, [0.03, 0.05], (20_000, 2)):
        above = stats.Estimate(*np.exp([one, one - reach * 0.03, one + reach * 0.03]))
        below = stats.Estimate(*np.exp([other, other - reach * 0.05, other + reach * 0.05]))
        found = stats.ratio(above, below)
        held += found.low <= 1 <= found.high
    assert held / 20_000 == pytest.approx(0.95, abs=0.006)


def test_a_row_is_taken_over_its_visits_where_these_are_told():
    values, visits = [1.0, 2.0, 3.0, 4.0, 8.0], [Rounds(3), Rounds(2)]
    assert stats.between(values, visits) == pytest.approx((np.log(3) ** 2 / 2, 1))
    assert stats.between(values, None) == (0.0, 0)
    assert stats.over(values, None, None) == stats.estimate(values)
    prior = stats.Spread(0.01, 9.0)
    assert stats.over(values, visits, prior) == stats.of_visits([2.0, 6.0], prior)
    assert stats.over(values, [Rounds(5)], None) == stats.estimate(values)
    assert stats.over(values, [Rounds(5)], prior) == stats.of_visits([3.0], prior)
