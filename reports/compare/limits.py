"""What a step needs at the least by the limits of a machine. Pure.

A fraction pairs a step with the roof beside it, which is what the machine gives as a rule, not the best that it ever
gave: a fraction is carried to another machine by the medians beside that machine's own steps.
"""

from __future__ import annotations

from kernels import roofline_model
from reports.analysis.roofs import interpolated
from reports.compare.system import PRODUCTS, STREAMED, TRAIN, Entry, Limits


def limit(
    entry: Entry, limits: Limits, reading: float = 1.0, multiplying: float = 1.0
) -> float | None:
    """What a step's bytes or products need at the least, in seconds; None where a roof is missing.

    A streamed step reads from memory whatever its sets span there, a resident one at its own working set. The read roof
    and the products may be given as so many times what they are as a rule. Of a hoisted sequence both stages count.
    """
    if not entry.working_set or not limits.read:
        return None
    memory = (limits.training if entry.work.phase == TRAIN else None) or limits.memory
    streamed = entry.work.residency == STREAMED
    read = memory if streamed else interpolated(limits.read, entry.working_set)
    write = roofline_model.nearest(limits.write, entry.written)
    product = limits.products.get((entry.work.dtype, entry.work.activations))
    if not read or (entry.flops and not product) or (entry.written and not write):
        return None
    return roofline_model.limit(
        entry.read / (read * reading),
        entry.written / write if write else 0.0,
        entry.flops / (product * multiplying) if product else 0.0,
        entry.projected,
    )


def reach(entry: Entry, limits: Limits) -> tuple[float, float] | None:
    """The least and the most that `limit` may be as far as the samples beside the machine's steps reach."""
    low, high = limits.reach.get(entry.work.residency, (1.0, 1.0))
    slow, quick = limits.reach.get(PRODUCTS, (1.0, 1.0))
    ends = limit(entry, limits, high, quick), limit(entry, limits, low, slow)
    return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None
