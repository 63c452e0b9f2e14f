"""Our own sequence on a GPU in CUDA C++: all steps in one launch, with U in registers (`kernels/gpu/in_registers.py`).

The products of all inputs with W come first, as one large product by PyTorch's library. Then one kernel runs all steps:
each block of units keeps its rows of U in registers from first to last, and the state crosses from block to block in
words that tell by themselves whether they have come, without a barrier.

Compiled by NVRTC through `cuda.bindings`, which PyTorch's CUDA builds bring.

Reads W, U, both biases once a call, all x, the first h (c), and from the second-level cache the last h at every step;
writes the products with W, every h, and the last c, to memory that is used again. Ran on an H200.
"""

import torch

from kernels.case import GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, Tensors
from kernels.gpu import in_registers, nvrtc
from kernels.implementations import _layouts
from kernels.implementations._gpus import processors, too_old
from kernels.reference.cells import Weights

label = "persistent (CUDA)"
reads = {"W": "per_call", "U": "per_call"}
layout, canonical = _layouts.layout, _layouts.canonical


def version() -> str:
    """NVRTC's version, and PyTorch's, whose library makes the first product."""
    return f"{nvrtc.version()}, torch {torch.__version__}"


def _not_here(case: Case) -> str | None:
    """Why it does not fit on this GPU or cannot be compiled, or None, also where there is no GPU."""
    if not torch.cuda.is_available():
        return None
    here = torch.cuda.get_device_properties(case.device)
    registers = getattr(here, "regs_per_multiprocessor", in_registers.REGISTERS)
    fits = in_registers.too_large(case, here.multi_processor_count, registers)
    return too_old() or nvrtc.absent() or fits


SUPPORTS = Support(
    device=("cuda",),
    part=("cell",),
    weights_x_activations=(("bfloat16", "bfloat16"), ("float16", "float16")),
    sequences=True,
    also=_not_here,
)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Memory for the products with W, for all h and the last c, and for what blocks exchange; compile, and bind."""
    T, B, G = case.steps, case.batch, GATES[case.cell]
    first = inputs[0].h
    from_x = first.new_empty(T * B, G * case.hidden)
    out, c_new = first.new_empty(T, B, case.hidden), torch.empty_like(first)
    how = in_registers.cut(case, processors(first.device))
    memory = in_registers.kept(case, how, first.device)
    answer = (out, c_new) if case.cell == "lstm" else (out,)

    def arguments(w: int, i: int) -> in_registers.Arguments:
        c = inputs[i].c if case.cell == "lstm" else inputs[i].h
        return in_registers.Arguments(Weights(*sets[w]), from_x, inputs[i].h, c, out, c_new)

    def multiply(w: int, i: int) -> None:
        torch.mm(inputs[i].x.view(T * B, case.input), sets[w][0].T, out=from_x)

    multiply(0, 0)
    wait = in_registers.best_wait(case, how, arguments(0, 0), memory)

    def bind(w: int, i: int) -> Step:
        steps = in_registers.bound(case, how, arguments(w, i), memory, wait)

        def sequence() -> Tensors:
            multiply(w, i)
            steps()
            return answer

        return sequence

    return bind
