"""The barrier of a region's threads, and the roll call that no missing thread can hang."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba import carray, prange, uintp

from kernels.vector import barrier
from kernels.vector.llvm import LINE_BYTES
from kernels.vector.parallel import pointer

ROUNDS = 5000
MOST = min(8, numba.config.NUMBA_NUM_THREADS)


@numba.njit(parallel=True, nogil=True)
def passed_round(memory, threads, wanted, rounds, slots, wrong, took_part):
    """Everyone writes a number of its own into its slot, and after the barrier reads everyone's, round after round.

    The slots of a round are written again two rounds later, when nobody can still read them.
    """
    barrier.cleared(uintp(memory))
    for _thread in prange(threads):
        me, members = barrier.enrolled(uintp(memory), wanted)
        if me < members:
            took_part[me] = members
            mine = carray(pointer(uintp(slots), np.int64), (2, wanted, 8))
            for number in range(1, rounds + 1):
                mine[number % 2, me, 0] = number * 1000 + me
                barrier.together(uintp(memory), members, number)
                for other in range(members):
                    wrong[me] += mine[number % 2, other, 0] != number * 1000 + other


def rounds_of(threads, wanted=None):
    """How many reads were wrong, and how many took part as each of them was told."""
    wanted = wanted or threads
    memory = np.full(barrier.BYTES + LINE_BYTES, 255, np.uint8)
    slots = np.zeros((2, wanted, 8), np.int64)
    wrong, took_part = np.zeros((2, wanted), np.int64)
    at = -(-memory.ctypes.data // LINE_BYTES) * LINE_BYTES
    passed_round(at, threads, wanted, ROUNDS, slots.ctypes.data, wrong, took_part)
    return wrong.sum(), [int(members) for members in took_part if members]


@pytest.fixture(autouse=True)
def _threads():
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


@pytest.mark.parametrize("threads", range(1, MOST + 1))
def test_what_was_stored_before_it_is_seen_by_all_behind_it(threads):
    numba.set_num_threads(threads)
    wrong, took_part = rounds_of(threads)
    assert took_part == [threads] * threads
    assert not wrong


@pytest.mark.parametrize("wanted", [2, 3, 9])
def test_threads_that_never_come_are_not_waited_for_forever(wanted):
    numba.set_num_threads(1)
    wrong, took_part = rounds_of(1, wanted)
    assert took_part == [1]
    assert not wrong


def test_one_thread_that_takes_several_turns_does_the_work_once():
    numba.set_num_threads(1)
    wrong, took_part = rounds_of(4)
    assert took_part == [1]
    assert not wrong
