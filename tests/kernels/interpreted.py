"""Triton's kernels in Triton's interpreter, on a CPU: `TRITON_INTERPRET=1 python -m tests.kernels.interpreted`.

A process of its own, because Triton decides when a kernel is defined whether it is interpreted. Prints a line of JSON
for each answer: what was computed, its largest error against the float64 reference, and the tolerance.
"""

from __future__ import annotations

import json
import os
import random
import sys

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter

from kernels import cells, check, triton_step
from kernels.contract import CELLS, Case
from kernels.implementations import triton_fused
from kernels.inputs import Arena, draw

SHAPES_EACH = 20
SCALE = 16.0
"""Exact in both dtypes; makes gate sums of order one at these sizes, so that no term is lost in rounding."""


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


def arena():
    """Random weights of order one."""
    memory = Arena(1 << 20, "cpu", seed=5)
    (everything,) = memory.sets(((memory.size_bytes // 2,),), "bfloat16", 1)[0]
    everything.mul_(SCALE)
    return memory


def fused(memory):
    """Every cell at twenty shapes, dtypes and numbers of programs in turn; new memory holds NaN, and so do answers."""
    for cell in CELLS:
        chance = random.Random(cell)
        for number in range(SHAPES_EACH):
            dtype, activations = list(triton_step.TERMS)[number % 4]
            H, I = (1, 1) if number == 0 else (chance.randint(1, 36), chance.randint(1, 150))  # noqa: E741
            B = (1, 7, 1, 3, 17, 64)[number % 6]
            processors = 1 + 7 * (number % 3 > 0)
            case = Case(cell, H, I, B, dtype=dtype, activations=activations)
            triton_fused.processors = lambda _device, count=processors: count
            sets = memory.sets(triton_fused.layout(case), dtype, 2)
            inputs = draw(case, torch.Generator().manual_seed(number))
            bind = triton_fused.prepare(case, sets, inputs)
            # twice with fewer programs: what the last one leaves must be where the first began
            pairs = [(1, 2)] if B > 7 else [(0, 1), (1, 2)]
            for w, i in pairs:
                new = bind(w, i)()
                weights = triton_fused.canonical(case, sets[w])
                error = check.error(case, new, cells.reference(case, inputs[i], weights))
                check.poison(new)
                parts = triton_step.cut(case, processors).parts
                tell("fused", case, error, parts=parts)


def tell(kernel, case, error, **more):
    """One line."""
    told = {"kernel": kernel, "case": case.id, "cell": case.cell, "dtype": case.dtype, **more}
    print(json.dumps({**told, "error": error, "tolerance": check.tolerance(case)}))  # noqa: T201


if __name__ == "__main__":
    assert os.environ.get("TRITON_INTERPRET") == "1"
    torch.use_deterministic_algorithms(True)  # new memory is filled with NaN
    np.seterr(over="ignore")  # of the exponential, on whose infinity the kernels count
    mend()
    memory = arena()
    for name in sys.argv[1:]:
        globals()[name](memory)
