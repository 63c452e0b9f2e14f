"""The matrix products that PyTorch's dispatcher really runs in a call: evidence that is not of our own model."""

from collections.abc import Callable
from itertools import chain
from math import prod
from typing import Any

FIRST_FACTOR = {
    "aten::mm": 0,
    "aten::bmm": 0,
    "aten::_int_mm": 0,
    "aten::addmm": 1,
    "aten::baddbmm": 1,
}
"""Operators of PyTorch's that run one product, or one of each pair of a batch; which argument is the left factor."""


def counted(call: Callable[[], object], steps: int) -> dict[str, int] | None:
    """Products and their FLOPs in a call, per time step, rounded up; None where none went through the dispatcher.

    None, too, with a PyTorch that lacks what this is told by: nothing else depends on it.

    Told by the profiler, which watches the dispatcher and changes nothing there: code that was compiled before stays
    compiled. Graphs and other libraries run their products past it, and so does an operator that is a whole layer. Its
    records are read as they are: the tree that it would make of a sequence's takes seconds and hundreds of megabytes.
    """
    try:
        from torch._C._autograd import _disable_profiler_legacy
        from torch.autograd.profiler_legacy import profile
    except ImportError:
        return None
    watching, records = profile(record_shapes=True), list[Any]()
    watching._start_trace()
    try:
        call()
    finally:
        records += _disable_profiler_legacy()
    flops = []
    for record in chain.from_iterable(records):
        if record.kind() == "push" and (at := FIRST_FACTOR.get(record.name())) is not None:
            left, right = record.shapes()[at : at + 2]
            flops.append(2 * prod(left) * right[-1])
    if not flops:
        return None
    return {"count": -(-len(flops) // steps), "flops": -(-sum(flops) // steps)}
