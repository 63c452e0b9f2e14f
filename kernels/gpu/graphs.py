"""CUDA graphs: calls recorded once and replayed as one launch, so that launches are not what is measured.

Tested with a stand-in for torch.cuda; ran on an H200.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

WARM_UPS = 3
"""Calls before a recording, in which libraries choose their kernels and allocate, as PyTorch asks for."""


def captured(
    call: Callable[[], Sequence[Tensor]], times: int = 1, pool: Any = None
) -> tuple[Callable[[], None], Sequence[Tensor]]:
    """A replay of so many calls, and where the last one leaves its answer, the same tensors each time.

    The call reads and writes the memory that it does now; its values may change. Nothing in it may wait for the GPU.
    Graphs of one `pool` (torch.cuda.graph_pool_handle) share the memory of what they do not answer with.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    answer: Sequence[Tensor] = ()
    with torch.cuda.graph(graph, pool=pool):
        for _ in range(times):
            answer = call()
    return graph.replay, answer
