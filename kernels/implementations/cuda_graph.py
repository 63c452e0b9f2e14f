"""PyTorch's own cells recorded in a CUDA graph: the kernels of `torch_cell`, launched as one.

At small sizes a GPU's step by PyTorch is its launches; replayed, the kernels follow one another without the CPU. Each
pair of weights and inputs is recorded apart, as a step in a real program would be.

Reads and writes as `torch_cell`; the answer lies in the graph's own memory. Ran on an H200.
"""

from dataclasses import replace

import torch

from kernels.case import Case
from kernels.contract import Bind, InputSets, Sets, Step, Tensors, limit_sets
from kernels.gpu import graphs
from kernels.implementations import torch_cell

label = "PyTorch cell in a CUDA graph"
reads = torch_cell.reads
layout, canonical = torch_cell.layout, torch_cell.canonical

MOST_SETS = 64
"""Sets of weights, each of which is recorded with every set of inputs that it meets."""

SUPPORTS = replace(torch_cell.SUPPORTS, device=("cuda",), phase=("step",))


def version() -> str:
    """PyTorch's version, and CUDA's."""
    return f"torch {torch.__version__}, CUDA {torch.version.cuda}"


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Record a graph for each pair that is bound. Raises Unavailable for more than MOST_SETS sets of weights."""
    limit_sets(sets, MOST_SETS, "CUDA graphs")
    pool = torch.cuda.graph_pool_handle()
    cell = torch_cell.prepare(case, sets, inputs)

    def bind(w: int, i: int) -> Step:
        replay, answer = graphs.captured(cell(w, i), pool=pool)

        def step() -> Tensors:
            replay()
            return answer

        return step

    return bind
