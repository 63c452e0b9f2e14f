"""More threads than this machine may have cores: a process of its own, with eight of them."""

from tests.kernels.elsewhere import python

THREADS = 8
BOTH = """
from dataclasses import replace

import numba

from kernels.case import Case
from tests.kernels.implementations import test_numba_fused as step
from tests.kernels.implementations import test_numba_sequence as sequence
from tests.kernels.implementations import test_numba_training as training

assert numba.get_num_threads() == 8
for threads in (3, 8):
    for hidden in (37, 150):
        case = Case("gru", hidden, 13, 2, threads=threads)
        step.holds(case)
        training.holds(replace(case, phase="train"))
        sequence.holds(replace(case, steps=5))
print("all hold")
"""


def test_steps_training_and_sequences_hold_with_more_threads_than_two():
    """Fewer blocks of units than threads, and more."""
    assert python(BOTH, NUMBA_NUM_THREADS=str(THREADS)) == ["all hold"]
