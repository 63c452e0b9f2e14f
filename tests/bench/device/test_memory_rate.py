"""Where memory begins and what it gives, on rounds whose truth is planted."""

from __future__ import annotations

import random

import pytest

from bench.device import memory_rate, sweeps
from bench.roofs import read

MIB, GIB = 1 << 20, 1 << 30
SIZES = [32 * MIB << power for power in range(6)]
CACHE, MEMORY = 120e9, 30e9


def kept(size, cache):
    """byte/s where a cache of so many bytes serves its share of every set: sums of seconds, part by part."""
    inside = min(cache, size)
    return size / (inside / CACHE + (size - inside) / MEMORY)


def rounds(rate, noise=0.0, times=9, sizes=SIZES, seed=0):
    """Of a machine of that rate at each size, which is at another speed in each round."""
    chance = random.Random(seed)
    found = []
    for _ in range(times):
        speed = chance.uniform(0.5, 1.0)
        found.append({one: speed * rate(one) * (1 + chance.gauss(0, noise)) for one in sizes})
    return found


@pytest.mark.parametrize("cache", [16 * MIB, 64 * MIB, 128 * MIB, 256 * MIB])
def test_memorys_rate_is_where_the_line_of_times_over_one_by_size_meets_a_set_without_bounds(cache):
    found = memory_rate.fade(rounds(lambda size: kept(size, cache)))
    assert found.rate * kept(GIB, cache) == pytest.approx(MEMORY, rel=1e-9)
    assert found.largest == GIB
    assert found.begins in (cache, max(SIZES[0], cache))


@pytest.mark.parametrize("seed", range(20))
def test_noise_of_five_per_cent_moves_it_by_less_than_ten(seed):
    found = memory_rate.fade(rounds(lambda size: kept(size, 128 * MIB), 0.05, 18, seed=seed))
    if found:  # else nothing is said
        assert found.rate * kept(GIB, 128 * MIB) == pytest.approx(MEMORY, rel=0.1)


def test_sets_are_as_slow_as_memory_but_for_a_share_from_where_the_line_says():
    cache = 64 * MIB
    found = memory_rate.fade(rounds(lambda size: kept(size, cache)))
    for loss in (0.01, 0.04, 0.1):
        size = found.least(loss)
        assert MEMORY / kept(size, cache) == pytest.approx(1 - loss, rel=1e-4)


def test_a_rate_that_falls_by_the_same_factor_with_every_doubling_shows_no_memory():
    for power in (0.05, 0.15, 0.5, 1.0):
        falling = rounds(lambda size, power=power: 400e9 * (MIB / size) ** power, noise=0.002)
        assert memory_rate.fade(falling) is None


def test_nor_mostly_through_noise_in_which_three_sizes_lie_on_either_line():
    def falling(size):
        return 400e9 * (MIB / size) ** 0.1

    found = [memory_rate.fade(rounds(falling, 0.03, seed=seed)) for seed in range(40)]
    assert sum(one is not None for one in found) <= 10


def test_a_cache_that_ended_before_the_last_size_is_no_fade():
    """30 GB/s in the last two sizes, faster before: a line through the last three would end in 26."""
    assert memory_rate.fade(rounds(lambda size: 40e9 if size < 512 * MIB else 30e9, 0.001)) is None


def test_less_than_two_doublings_and_no_rounds_are_no_fade():
    assert memory_rate.fade(rounds(lambda size: kept(size, 64 * MIB), sizes=SIZES[-2:])) is None
    assert memory_rate.fade([]) is None


def roof(size, samples):
    return sweeps.record("cpu", read, "1x8x16", samples, threads=2, working_set_bytes=size, sweep=1)


def test_the_best_is_of_the_first_rounds_however_many_there_are():
    few = [9.0, 11.0, 10.0]
    for more in ([], [50.0] * 2, [50.0] * 40):
        roofs = [roof(size, [each * 1e9 for each in few + more]) for size in SIZES]
        assert memory_rate.best(roofs, SIZES[0]) == pytest.approx(11e9)


def test_the_best_of_a_moment_is_the_mean_of_its_sizes_not_the_luckiest_sample():
    lucky = {SIZES[-1]: [10.0, 14.0, 10.0], SIZES[-2]: [10.0, 7.2, 10.0], SIZES[-3]: [10.0] * 3}
    roofs = [roof(size, [each * 1e9 for each in samples]) for size, samples in lucky.items()]
    assert memory_rate.best(roofs, SIZES[-3]) == pytest.approx(10e9, rel=0.01)
