"""The chain of instructions that shows a core's clock."""

from __future__ import annotations

from bench.telemetry import core_frequency


def test_the_chain_that_shows_the_clock_is_run_to_its_end():
    """Marsaglia's xorshift, written anew with whole numbers: a shorter way to the same state there is none."""
    x = 88172645463325252
    for _ in range(1000):
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        x ^= x << 17 & (1 << 64) - 1
    assert core_frequency.chain(1000, 88172645463325252) == x
    assert core_frequency.clock_hz() > 0
