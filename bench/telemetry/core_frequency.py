"""How fast the core ticks: a chain of instructions each of which waits for the one before.

Systems that show a clock often show a constant (a virtual machine's, the nominal one). A chain cannot run ahead of the
clock, so its speed follows it whatever the system says.
"""

from time import perf_counter

import numba
from numba import uint64

import bench.roofs  # noqa: F401 - it says where compiled code is cached

TURNS = 20_000
"""Some 40 us: short enough to fit between two wake-ups of anything else."""

REPEATS = 7
CYCLES_PER_TURN = 6
"""Three shifts and three exclusive-ors, one after the other, a cycle each (Marsaglia's xorshift, 64 bits)."""


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator] # numba has no types
def chain(turns: int, seed: int) -> int:
    """The state of a 64-bit xorshift generator after so many turns."""
    x = uint64(seed)
    for _ in range(turns):
        x ^= x << uint64(13)
        x ^= x >> uint64(7)
        x ^= x << uint64(17)
    return x  # type: ignore[no-any-return]


def clock_hz() -> float:
    """The clock of the core that runs this, about: the best of REPEATS chains. As good as CYCLES_PER_TURN is true."""
    chain(1, 1)
    best = float("inf")
    for _ in range(REPEATS):
        start = perf_counter()
        chain(TURNS, 88172645463325252)
        best = min(best, perf_counter() - start)
    return TURNS * CYCLES_PER_TURN / best
