"""PyTorch's own cells recorded in a CUDA graph: the kernels of `torch_cell`, launched as one.

At small sizes a GPU's step by PyTorch is its launches; replayed, the kernels follow one another without the CPU. Each
pair of weights and inputs is recorded apart, as a step in a real program would be.

Reads and writes as `torch_cell`; the answer lies in the graph's own memory. Not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kernels.case import Case, Unavailable
from kernels.gpu import graphs
from kernels.implementations import torch_cell
from kernels.reference.cells import Inputs

label = "PyTorch cell in a CUDA graph"
reads = torch_cell.reads
layout = torch_cell.layout
canonical = torch_cell.canonical

MOST_SETS = 64
"""Sets of weights, each of which is recorded with every set of inputs that it meets."""


def version() -> str:
    """PyTorch's version, and CUDA's."""
    return f"torch {torch.__version__}, CUDA {torch.version.cuda}"


def unavailable(case: Case) -> str | None:
    """Inference on CUDA devices, in what PyTorch's cells take."""
    if case.phase != "step":
        return "it goes forward alone: a step of training is not recorded"
    if case.device != "cuda":
        return f"a CUDA graph, and the device is a {case.device}"
    return torch_cell.unavailable(case)


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Record a graph for each pair that is bound. Raises Unavailable for more than MOST_SETS sets of weights."""
    if len(sets) > MOST_SETS:
        raise Unavailable(
            f"streaming takes graphs of {len(sets)} sets of weights, more than {MOST_SETS}: use a larger hidden size"
        )
    pool = torch.cuda.graph_pool_handle()
    cell = torch_cell.prepare(case, sets, inputs)

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        replay, answer = graphs.captured(cell(w, i), pool=pool)

        def step() -> Sequence[Tensor]:
            replay()
            return answer

        return step

    return bind
