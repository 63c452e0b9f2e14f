"""Levels are found on synthetic curves whose plateaus are known."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.device import levels

KIB, MIB = 1 << 10, 1 << 20
SIZES = [size for power in range(14) for size in (32 * KIB << power, 48 * KIB << power)][:-1]
"""32 KiB to 256 MiB, two per doubling."""

THREE_CACHES = ((96 * KIB, 300e9), (2 * MIB, 150e9), (32 * MIB, 80e9), (None, 20e9))

curves = st.integers(1, 30).flatmap(
    lambda count: st.lists(st.floats(1e9, 1e12), min_size=count, max_size=count).map(
        lambda rates: dict(zip(SIZES, rates, strict=False))
    )
)


def stairs(steps, noise=0.0, seed=0):
    """A curve of plateaus (end, byte/s); noise is the largest relative deviation of a size."""
    chance = random.Random(seed)
    return {
        size: next(rate for end, rate in steps if end is None or size <= end)
        * (1 + chance.uniform(-noise, noise))
        for size in SIZES
    }


@pytest.mark.parametrize("seed", range(20))
def test_three_caches_and_memory_are_found_through_five_per_cent_of_noise(seed):
    found = levels.plateaus(stairs(THREE_CACHES, noise=0.05, seed=seed))
    assert len(found) == 4
    for (end, rate), (true_end, true_rate) in zip(found, THREE_CACHES, strict=True):
        assert rate == pytest.approx(true_rate, rel=0.05)
        if true_end:
            # an odd size out, where noise crosses the middle between two levels, cannot happen at these ratios
            assert end == max(size for size in SIZES if size <= true_end)
    assert found[-1][0] == SIZES[-1]


def test_without_noise_the_levels_are_the_plateaus_themselves():
    found = levels.plateaus(stairs(THREE_CACHES))
    assert [end for end, _ in found] == [96 * KIB, 2 * MIB, 32 * MIB, SIZES[-1]]
    assert [rate for _, rate in found] == pytest.approx([rate for _, rate in THREE_CACHES])


@pytest.mark.parametrize("seed", range(5))
def test_a_flat_curve_is_one_level(seed):
    found = levels.plateaus(stairs(((None, 50e9),), noise=0.05, seed=seed))
    assert len(found) == 1
    assert found[0][0] == SIZES[-1]
    assert found[0][1] == pytest.approx(50e9, rel=0.05)
    (memory,) = levels.named("cpu", found, [(1, 64 * KIB), (2, MIB)])
    assert (memory.name, memory.up_to_bytes) == ("DRAM", None)
    assert levels.last_cache_bytes(found) == 0


def test_a_slope_between_two_plateaus_belongs_to_the_nearer_of_them():
    """From 4 to 32 MiB the rate falls by the same factor at every size: the middle of the slope ends the cache."""
    rates = []
    for size in SIZES:
        if size <= 4 * MIB:
            rates.append(100e9)
        elif size < 32 * MIB:
            share = len([s for s in SIZES if 4 * MIB < s <= size]) / len(
                [s for s in SIZES if 4 * MIB < s <= 32 * MIB]
            )
            rates.append(100e9 * 0.2**share)
        else:
            rates.append(20e9)
    found = levels.plateaus(dict(zip(SIZES, rates, strict=True)))
    assert [rate for _, rate in found] == pytest.approx([100e9, 20e9], rel=0.05)
    assert 8 * MIB <= found[0][0] <= 16 * MIB


def test_steps_smaller_than_an_eighth_are_one_level():
    found = levels.plateaus(stairs(((MIB, 110e9), (None, 100e9))))
    assert len(found) == 1


def test_a_curve_that_rises_with_the_working_set_is_noise_and_one_level():
    rates = [50e9 * 1.02**number for number in range(len(SIZES))]
    assert len(levels.plateaus(dict(zip(SIZES, rates, strict=True)))) == 1


def test_no_curve_has_no_levels():
    with pytest.raises(ValueError, match="no read curve"):
        levels.plateaus({})


def test_a_virtual_machine_that_reports_its_hosts_cache_keeps_the_curves_end_for_it():
    """The system says 260 MiB; the curve falls at 24 MiB, and the curve wins."""
    found = levels.plateaus(
        stairs(((96 * KIB, 300e9), (2 * MIB, 150e9), (24 * MIB, 80e9), (None, 20e9)))
    )
    named = levels.named("cpu", found, [(1, 96 * KIB), (2, 4 * MIB), (3, 260 * MIB)])
    assert [level.name for level in named] == ["L1", "L2", "L3", "DRAM"]
    assert [level.up_to_bytes for level in named] == [96 * KIB, 2 * MIB, 24 * MIB, None]
    assert levels.last_cache_bytes(found) == 24 * MIB


def test_the_middle_of_a_level_lies_inside_it_on_whole_pages_and_that_of_memory_at_its_end():
    found = levels.plateaus(stairs(THREE_CACHES))
    middles = list(levels.middles(levels.named("cpu", found, []), 32 * KIB, 128 * MIB).values())
    ends = [32 * KIB, *(end for end, _ in found)]
    for middle, (start, end) in zip(middles[:-1], pairwise(ends), strict=False):
        assert start <= middle <= end
        assert middle % 4096 == 0
    assert middles[-1] == 128 * MIB


@given(curves)
def test_levels_are_never_none_their_ends_ascend_and_their_rates_descend_by_a_step(curve):
    found = levels.plateaus(curve)
    assert found
    assert found[-1][0] == max(curve)
    for (end, rate), (next_end, next_rate) in pairwise(found):
        assert end < next_end
        assert rate >= 0.999 * levels.STEP * next_rate
    assert {end for end, _ in found} <= curve.keys()


@given(curves, st.sampled_from([0.5, 3.0, 1000.0]))
def test_a_machine_faster_in_everything_has_the_same_levels_faster(curve, factor):
    found = levels.plateaus(curve)
    scaled = levels.plateaus({size: rate * factor for size, rate in curve.items()})
    assert [end for end, _ in scaled] == [end for end, _ in found]
    assert [rate for _, rate in scaled] == pytest.approx([rate * factor for _, rate in found])


@given(curves)
def test_no_level_is_faster_than_the_fastest_size_or_slower_than_the_slowest(curve):
    for _, rate in levels.plateaus(curve):
        assert min(curve.values()) * 0.999 <= rate <= max(curve.values()) * 1.001


@pytest.mark.parametrize(
    ("found", "reported", "meant"),
    [
        (24 * MIB, 32 * MIB, 32 * MIB),
        (16 * MIB, 32 * MIB, 32 * MIB),
        (15 * MIB, 32 * MIB, 15 * MIB),
        (48 * MIB, 32 * MIB, 48 * MIB),
        (512 * KIB, 32 * MIB, MIB),
        (0, 32 * MIB, 32 * MIB),
    ],
)
def test_streamed_weights_outgrow_what_was_found_or_what_is_reported_a_little_above(
    found, reported, meant
):
    assert levels.last_level(found, reported) == meant
