"""A level is called after the cache that the system reports nearest to its end, and never two alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.profile.level_names import of_plateaus

KIB, MIB = 1 << 10, 1 << 20
ENDS = [96 * KIB, 2 * MIB, 32 * MIB, 256 * MIB]


def test_levels_are_named_by_the_caches_of_the_machine():
    caches = [(3, 36 * MIB), (1, 64 * KIB), (2, 2 * MIB)]
    assert of_plateaus(ENDS, caches) == ["L1", "L2", "L3", "DRAM"]


def test_a_level_that_the_curve_does_not_show_gives_no_name_away():
    """Two caches on the curve, three reported: each takes the nearest in size, and the order is kept."""
    caches = [(1, 64 * KIB), (2, 2 * MIB), (3, 32 * MIB)]
    assert of_plateaus(ENDS[1:], caches) == ["L2", "L3", "DRAM"]


def test_the_first_of_two_levels_leaves_a_cache_for_the_second():
    caches = [(2, 2 * MIB), (3, 32 * MIB)]
    assert of_plateaus([30 * MIB, 64 * MIB, 256 * MIB], caches) == ["L2", "L3", "DRAM"]


def test_a_level_is_never_named_after_a_cache_before_that_of_the_level_before():
    """The second level ends at 8 MiB, nearer to the first cache's 2 MiB than to the third's 512 MiB."""
    caches = [(1, 2 * MIB), (2, 4 * MIB), (3, 512 * MIB)]
    assert of_plateaus([4 * MIB, 8 * MIB, 256 * MIB], caches) == ["L2", "L3", "DRAM"]


def test_a_level_without_a_reported_cache_has_a_number():
    assert of_plateaus(ENDS, []) == ["cache 1", "cache 2", "cache 3", "DRAM"]
    assert of_plateaus(ENDS, [(2, 2 * MIB)])[-1] == "DRAM"
    assert len(set(of_plateaus(ENDS, [(2, 2 * MIB)]))) == 4


sizes = st.integers(KIB, 512 * MIB)


@given(
    st.sets(sizes, min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(1, 4), sizes), max_size=4),
)
def test_every_level_has_a_name_of_its_own(ends, caches):
    names = of_plateaus(sorted(ends), caches)
    assert len(names) == len(set(names)) == len(ends)
