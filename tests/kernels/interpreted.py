"""Triton's kernels in Triton's interpreter, on a CPU: `TRITON_INTERPRET=1 python -m tests.kernels.interpreted`.

A process of its own, because Triton decides when a kernel is defined whether it is interpreted. Prints a line of JSON
for each answer: what was computed, its largest error against the float64 reference, and the tolerance.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter

from bench.roofs import _triton
from kernels.case import CELLS, GATES, Case
from kernels.gpu import many_sequences, one_sequence, step
from kernels.gpu import persistent as triton_sequence
from kernels.implementations import triton_fused, triton_persistent
from kernels.reference import cells, check
from kernels.reference.inputs import draw
from tests.kernels import ahead
from tests.kernels.large_arena import LargeArena

SHAPES_EACH = 20 if ahead.EVERY else 8


def mend():
    """Its interpreter (3.9) keeps bfloat16 as bits, which products and conversions of integers take for numbers."""
    builder = interpreter.InterpreterBuilder
    convert = builder.create_si_to_fp

    def floats(tensor):
        if tensor.dtype.scalar != tl.bfloat16:
            return tensor.data
        return (tensor.data.astype(np.uint32) << 16).view(np.float32)

    def create_dot(_self, a, b, d, _precision, _most_imprecise):
        product = np.matmul(floats(a), floats(b), dtype=d.data.dtype)
        return interpreter.TensorHandle(product + d.data, d.dtype.scalar)

    def create_si_to_fp(self, value, to):
        if to.scalar != tl.bfloat16:
            return convert(self, value, to)
        return self.create_fp_trunc(convert(self, value, tl.float32), to)

    builder.create_dot, builder.create_si_to_fp = create_dot, create_si_to_fp


def fused(memory):
    """Every cell at twenty shapes, dtypes and numbers of programs in turn; new memory holds NaN, and so do answers."""
    pairs_of_dtypes = list(many_sequences.TERMS)
    step.LEAST_TILES = 1
    for turn, cell in enumerate(CELLS):
        chance = random.Random(cell)
        for number in range(SHAPES_EACH):
            dtype, activations = pairs_of_dtypes[number % len(pairs_of_dtypes)]
            H, I = (1, 1) if number == 0 else (chance.randint(1, 36), chance.randint(1, 150))  # noqa: E741
            B = (1, 7, 1, 3, 17, 64)[(number + number // 6 + 2 * turn) % 6]
            case = Case(cell, H, I, B, dtype=dtype, activations=activations)
            a_step(case, number, memory, 1 + 7 * (number % 3 > 0))


def whole_tiles(memory):
    """Every cell and dtype at sizes that tiles divide, where tiles are smaller than a GPU's."""
    one_sequence.LINE_BYTES, step.COLUMNS = 64, 32
    for number, ((dtype, activations), (cell, B)) in enumerate(
        itertools.product(many_sequences.TERMS, (("rnn", 1), ("lstm", 1), ("gru", 1), ("gru", 5)))
    ):
        hidden = 128 if cell == "rnn" else 64
        case = Case(cell, hidden, 128, B, dtype=dtype, activations=activations)
        a_step(case, number, memory, 1)


def a_step(case, number, memory, processors):
    """Two calls: with fewer programs, what the last one leaves must be where the first began."""
    triton_fused.processors = lambda _device: processors
    sets = memory.sets(triton_fused.layout(case), case.dtype, 2)
    inputs = draw(case, torch.Generator().manual_seed(number))
    bind = triton_fused.prepare(case, sets, inputs)
    for w, i in [(1, 2)] if case.batch > 7 else [(0, 1), (1, 2)]:
        new = bind(w, i)()
        weights = triton_fused.canonical(case, sets[w])
        error = check.error(case, new, cells.reference(case, inputs[i], weights))
        check.poison(new)
        how = step.cut(case, processors)
        even = step.constants(case, how)["EVEN"]
        tell("fused", case, error, parts=how.parts, even=even)


def sequence(memory):
    """Every cell, T steps by one program: each step held against the reference from the kernel's own last state."""
    for number, (cell, sizes, T) in enumerate(
        itertools.product(CELLS, ((1, 1), (23, 1), (37, 3), (16, 16), (130, 2)), (1, 4))
    ):
        H, B = sizes
        dtype = "bfloat16" if B > 1 or number % 2 else "float32"
        case = Case(cell, H, 5, B, dtype=dtype, activations=dtype)
        G = GATES[cell]
        layout = ((G * H, 5), (G * H, H), (G * H,), (G * H,))
        weights = cells.Weights(*memory.sets(layout, dtype, 1)[0])
        first = draw(case, torch.Generator().manual_seed(number))[0]
        x = torch.rand(T, B, 5, dtype=torch.float32).to(first.h.dtype) * 2 - 1
        from_x = x.double() @ weights.W.double().T
        out, c_new = torch.empty(T, B, H, dtype=first.h.dtype), torch.empty_like(first.h)
        arrived = torch.zeros(1, dtype=torch.int32)
        triton_sequence.run(
            case, weights, from_x.float(), first.h, first.c, out, c_new, arrived, processors=1
        )
        state, worst = first, 0.0
        for t in range(T):
            new = cells.reference(case, state._replace(x=x[t]), weights)
            worst = max(worst, check.error(case, (out[t],), new[:1]))
            state = state._replace(h=out[t], c=new[1] if cell == "lstm" else state.c)
        if cell == "lstm":
            worst = max(worst, check.error(case, (c_new,), (state.c,)))
        tell("sequence", case, worst, steps=T, counter=int(arrived))


def persistent(memory):
    """Every cell as an implementation gives it: W's products first, answers that held NaN, two sets in turn."""
    for cell, (H, I, B, T) in itertools.product(CELLS, ((9, 4, 1, 3), (17, 30, 3, 5))):  # noqa: E741
        case = Case(cell, H, I, B, dtype="bfloat16", activations="bfloat16", steps=T)
        sets = memory.sets(triton_persistent.layout(case), case.dtype, 2)
        inputs = draw(case, torch.Generator().manual_seed(H))
        bind = triton_persistent.prepare(case, sets, inputs)
        for w, i in ((0, 1), (1, 2)):
            weights = triton_persistent.canonical(case, sets[w])
            answer = bind(w, i)()
            error = check.error(case, answer, cells.reference(case, inputs[i], weights))
            tell("persistent", case, error, steps=T)
            check.poison(answer)


def roofs(_memory):
    """Every memory probe over a block that is no whole number of groups: what it read, wrote or left alone."""
    for kind, tile, passes, programs in itertools.product(
        _triton.STREAMS, (64, 512), (1, 3), (2, _triton.EACH)
    ):
        block = torch.randint(-(2**31), 2**31, (10_007,), dtype=torch.int32)
        floats = block.view(torch.float32)
        floats.copy_(torch.rand(10_007))
        before = block.clone()
        variant = _triton.Variant(2, tile, programs, 4)
        run, sums = _triton.prepare(kind, variant, block, processors=3)
        run(passes)
        n = _triton.words_each(kind, variant, block.numel() * 4)
        was = before.view(torch.float32)
        right = before.clone()
        if kind == "write":
            right.view(torch.float32)[:n] = passes + 0.5
        elif kind == "copy":
            right[n : 2 * n] = before[:n]
        elif kind == "triad":
            right.view(torch.float32)[:n] = was[n : 2 * n] + 0.5 * was[2 * n : 3 * n]
        else:
            of_groups = before[:n].view(-1, variant.group).sum(dtype=torch.int64, dim=1)
            for program, found in enumerate(sums.tolist()):  # the same groups in every pass
                wanted = passes * int(of_groups[program :: len(sums)].sum())
                assert (found - wanted) % 2**32 == 0, (kind, tile, passes)
        told = {
            "kernel": kind,
            "group": variant.group,
            "passes": passes,
            "once": programs == _triton.EACH,
            "words": n,
            "streams": _triton.STREAMS[kind],
        }
        print(json.dumps({**told, "right": torch.equal(block, right)}))  # noqa: T201


def tell(kernel, case, error, **more):
    """One line."""
    told = {"kernel": kernel, "case": case.id, "cell": case.cell, "dtype": case.dtype, **more}
    print(json.dumps({**told, "error": error, "tolerance": check.tolerance(case)}))  # noqa: T201


if __name__ == "__main__":
    assert os.environ.get("TRITON_INTERPRET") == "1"
    torch.use_deterministic_algorithms(True)  # new memory is filled with NaN
    np.seterr(over="ignore")  # of the exponential, on whose infinity the kernels count
    mend()
    memory = LargeArena(1 << 20, "cpu", seed=5)
    for name in sys.argv[1:]:
        globals()[name](memory)
