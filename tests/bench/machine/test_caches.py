"""Which caches a core has for itself."""

from __future__ import annotations

import pytest

from bench.machine.caches import Cache, own_bytes
from bench.telemetry import memory

KIB = 1 << 10


def core(*cpus, second=1024):
    """The caches of one core with these processors."""
    shared = frozenset(cpus)
    return [Cache(1, "Data", 32 * KIB, shared), Cache(2, "Unified", second * KIB, shared)]


LAST = Cache(3, "Unified", 32 << 20, frozenset(range(8)))


def cores(*sets):
    return [frozenset(one) for one in sets]


def test_the_largest_that_no_other_core_shares_threads_of_one_core_do():
    assert own_bytes([*core(0, 4), *core(1, 5), LAST], cores({0, 4}, {1, 5})) == 1024 * KIB


def test_of_different_cores_the_smallest():
    assert own_bytes([*core(0), *core(1, second=512), LAST], cores({0}, {1})) == 512 * KIB


def test_a_second_level_that_cores_share_is_nobodys_own():
    shared = [Cache(1, "Data", 32 * KIB, frozenset({n})) for n in (0, 1)]
    shared.append(Cache(2, "Unified", 4096 * KIB, frozenset({0, 1})))
    assert own_bytes(shared, cores({0}, {1})) == 32 * KIB


@pytest.mark.parametrize("told", [[], [LAST], core(0)])
def test_where_a_core_has_none_that_is_told_nothing_is_known(told):
    assert own_bytes(told, cores({0}, {1})) is None


def test_no_cores_have_no_caches():
    assert own_bytes([LAST], []) is None


def test_a_core_of_this_machine_has_less_than_all_have_together():
    own, last = memory.own_cache_bytes(), memory.last_level_bytes()
    assert own is None or last is None or own <= last
