"""A sequence of steps in one launch, U in registers: CUDA C++ of our own, without a barrier of all blocks.

Every block keeps the rows of U of its units in registers from first to last, as the fragments that tensor cores take,
each warp a part of k; and LSTM's c or GRU's h, in float32. A step reads the whole last state, which the other blocks
wrote; multiplies; adds the warps' sums through shared memory; and shows the others the new values of its units.

**How a state crosses.** A value of 16 bits below 2 has one bit that is never set (0x4000, in bfloat16 and in float16
alike), and there the number of the state is told: two values are a word of 32 bits, states take two slots in turn, and
that bit is set in the words of every other pair of states. A reader looks at the words themselves until each has the
bit of the state it waits for: no fence, no counter, no barrier of all blocks, and one journey of each word.

- *A word is whole.* It is written once a state, by one 32-bit relaxed store of the GPU's scope, and read by relaxed
  loads of the same scope that PTX defines as four of 32 bits each. It says itself whether it has come, and nothing is
  concluded from it about another word, so no order between words is needed.
- *No word is taken for another.* A slot holds the words of state n - 2 or of state n, whose bits differ, and never
  those of n + 2 as long as anyone waits for n:
- *No word is overwritten before all have read it.* Value k of state n + 2 is computed from all values of n + 1 (of its
  sequence), each of which its block computed from all values of n, k among them. So when k is written over, every block
  had read it; by what was computed from what, whatever the order in which memory shows other words.
- *Blocks of a call and of the next.* The number of states shown so far stands before the words, is read by all blocks
  first, and written by the first block at its end: it has then seen the state before the last, whose words, of every
  block, carry the count that was read. So calls follow one another in a stream, or in a graph, and nothing is cleared.
- *All blocks run at once*, for the launch is cooperative and there are at most as many as processors.
- *The warps of a block* write their sums to one of two places in turn. A place is written again two steps later, after
  the barrier of the step between, at which its readers arrive when they have read.
- *It ends.* A warp that looked four million times (a second or more) says so to the CPU, goes on with NaN and looks no
  more than once a step from there on; then `run` raises, as it does where a value was 2 or more: GRU's may be, where
  its first h is.

W x of all steps comes ready. Per step: reads W x, and the last h from the second-level cache; writes h there, and h.
Per call: reads U and the biases once.

A look that comes too early is a request more in the way of the words that are awaited: they queue at the parts of the
second-level cache that hold a state. So a step waits before its first look, for as long as `best_wait` found best; a
warp's looks are few and wide; and a state of one sequence is shown in copies, each for some of the blocks.

Checked on a CPU that emulates blocks, warps and late memory; the exchange by trying every order; compiled ahead of
time, with machine code looked at. On an H200 32 of its 36 cases of calls in a row had their time, and were right, as
was one in a graph.
"""

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.case import CELLS, GATES, Case, Unavailable
from kernels.gpu import nvrtc
from kernels.reference.cells import Weights

SOURCE = "in_registers.cu"
KERNEL = "sequence"
MOST_SEQUENCES = 16
MULTIPLE = 8
"""Of a hidden size: 16 bytes, which one load takes."""
PIECE = 32
"""Of k, that one load of a warp covers."""
HEADER_WORDS = 32
WARPS = 8
CHAINS = 2
"""Sums that a tile's products are added to in turn, as the source has it."""
OTHER_REGISTERS = 25
TASK_REGISTERS = 12
"""For each eight values of a warp: what it carries, and where they lie."""
MOST_REGISTERS = 255
LEAST_TIMED_STEPS = 32
MOST_TIMED_STEPS = 256
"""Of the calls that choose how long a step waits."""
REGISTERS = 65536
"""Of a processor, where there is none to ask."""


class Cut(NamedTuple):
    """How work is cut: units of a block, warps of a block, copies of the exchanged state."""

    units: int
    warps: int
    copies: int

    def blocks(self, hidden: int) -> int:
        """Blocks of units."""
        return -(-hidden // self.units)

    def tiles(self, case: Case) -> int:
        """Tiles of 16 rows of U of a block."""
        return -(-GATES[case.cell] * self.units // 16)

    def registers(self, case: Case) -> int:
        """Of a thread, about: U, a state, the sums, and the rest. The compiler takes some fewer."""
        columns, tiles = -(-case.batch // 8), self.tiles(case)
        pieces = -(-case.hidden // (PIECE * self.warps))
        tasks = -(-self.units * case.batch // (8 * self.warps))
        of_products = 8 * tiles * pieces + 4 * pieces * columns + 4 * CHAINS * tiles * columns
        return of_products + TASK_REGISTERS * tasks + OTHER_REGISTERS

    def shared_bytes(self, case: Case) -> int:
        """Of a block: the warps' sums, twice, and the count."""
        rows = 16 * self.tiles(case)
        of_warp = 4 * rows if case.batch == 1 else case.batch * (rows + 4)
        return 4 * (2 * self.warps * of_warp + 1)

    def exchange_words(self, case: Case) -> int:
        """The count and the two slots of every copy."""
        slot = -(-case.hidden // PIECE) * PIECE // 2 * case.batch
        return HEADER_WORDS + self.copies * 2 * slot


def cut(case: Case, processors: int) -> Cut:
    """Blocks of 8 units, or of as many more as the processors ask for."""
    units = max(8, 2 * -(-case.hidden // (2 * processors)))
    return Cut(units, WARPS, 4 if case.batch == 1 else 1)


def too_large(case: Case, processors: int, registers: int = REGISTERS) -> str | None:
    """Why this case does not fit on a chip of so many processors of so many registers, or None."""
    if case.hidden % MULTIPLE:
        return f"it takes hidden sizes that are multiples of {MULTIPLE}, not {case.hidden}"
    if case.batch > MOST_SEQUENCES:
        return f"it keeps the state of {MOST_SEQUENCES} sequences at most, not {case.batch}"
    how = cut(case, processors)
    most = min(MOST_REGISTERS, registers // (32 * how.warps))
    if how.registers(case) > most:
        return f"U does not fit in registers: it takes about {how.registers(case)} of a thread's {most}"
    return None


def defines(case: Case, how: Cut, **more: int) -> tuple[tuple[str, int], ...]:
    """What the source is compiled for."""
    words = {
        "CELL": CELLS.index(case.cell),
        "HALF": int(case.dtype == "float16"),
        "H": case.hidden,
        "B": case.batch,
        "UNITS": how.units,
        "WARPS": how.warps,
        "COPIES": how.copies,
    }
    return tuple((words | more).items())


class Kept(NamedTuple):
    """What calls share: the exchanged states on the GPU, and what the kernel tells the CPU of faults."""

    exchange: Tensor
    faults: Tensor


def kept(case: Case, how: Cut, device: torch.device) -> Kept:
    """Memory for calls that follow one another, zero before the first."""
    exchange = torch.zeros(how.exchange_words(case), dtype=torch.int32, device=device)
    return Kept(exchange, torch.zeros(2, dtype=torch.int32, pin_memory=True))


class Arguments(NamedTuple):
    """What a call reads and writes: W x without biases (T*B, G*H), h, c and the last c' (B, H), every h' (T, B, H)."""

    weights: Weights
    from_x: Tensor
    h: Tensor
    c: Tensor
    out: Tensor
    c_new: Tensor


def bound(
    case: Case, how: Cut, given: Arguments, memory: Kept, wait: int = 0, **more: int
) -> Callable[[], None]:
    """The call. `wait` are the cycles that a step lets pass before it looks for the last state: see `best_wait`.

    The call raises Unavailable where an earlier one found a fault. Binding compiles, and raises it where that fails or
    where the GPU cannot run all blocks at once.
    """
    code = nvrtc.compiled(SOURCE, torch.cuda.get_device_capability(), defines(case, how, **more))
    threads, shared = 32 * how.warps, how.shared_bytes(case)
    if not nvrtc.most_blocks(code, KERNEL, threads, shared):
        raise Unavailable(
            f"a block of {threads} threads and {shared} bytes of shared memory does not fit"
        )
    _, *weights = given.weights
    tensors = (*weights, *given[1:], *memory)
    addresses, numbers = [tensor.data_ptr() for tensor in tensors], (case.steps, wait)
    launch = nvrtc.cooperative(
        code, KERNEL, how.blocks(case.hidden), threads, shared, addresses, numbers
    )
    waited, too_big = (
        ctypes.c_int.from_address(memory.faults.data_ptr() + 4 * number) for number in range(2)
    )

    def call(_kept: tuple[Tensor, ...] = tensors) -> None:
        if waited.value:
            raise Unavailable("a call before this waited in vain for what other blocks compute")
        if too_big.value:
            raise Unavailable(
                "a call before this had a state of 2 or more, which it cannot hand on"
            )
        launch(torch.cuda.current_stream().cuda_stream)

    return call


def best_wait(case: Case, how: Cut, given: Arguments, memory: Kept) -> int:
    """The cycles to wait with which calls of these arguments take least, by a few calls each; 0 for short sequences.

    A look that comes too early finds nothing, delays the words that are on their way, and is followed by another.
    """
    if case.steps < LEAST_TIMED_STEPS:
        return 0
    some = replace(case, steps=min(case.steps, MOST_TIMED_STEPS))

    def milliseconds(wait: int) -> float:
        call = bound(some, how, given, memory, wait)
        found: list[float] = []
        for _ in range(3):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            call()  # while it runs, what is timed is launched
            begin.record()
            call()
            call()
            end.record()
            end.synchronize()
            found.append(begin.elapsed_time(end))
        return min(found)

    taken = {wait: milliseconds(wait) for wait in range(0, 1000, 100)}
    about = min(taken, key=taken.__getitem__)
    taken |= {wait: milliseconds(wait) for wait in (about - 50, about + 50) if wait > 0}
    return min(taken, key=taken.__getitem__)
