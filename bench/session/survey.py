"""The survey of a device: its roofs, unless an earlier process of the run measured them, and what points need of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.device.device import Curve, Device, Finding, Sweep, fastest_products
from bench.measure.context import Context, write_roofs
from bench.measure.rotation import weight_sets
from bench.profile.records import Roof
from bench.profile.suite import Planned, Suite
from kernels import implementations
from kernels.reference.inputs import set_bytes


@dataclass(frozen=True)
class Survey:
    """What was asked of a device, what its read curve says, what points are measured with, and the sentinel's start."""

    asked: Sweep
    curve: Curve
    context: Context
    sentinel: Roof


def survey(
    device: Device,
    suite: Suite,
    seed: int,
    machine: dict[str, Any],
    earlier: Sequence[Roof],
    keep: Callable[[Finding], None],
) -> Survey:
    """Sweep a device and allocate what the suite's weights need there. Raises Unavailable.

    `earlier` are its roofs that the run's earlier processes measured; `keep` is given each finding as it is made.
    """
    wanted = [one for one in suite.points if one.case.device == device.name]
    asked = Sweep(
        counts=tuple({one.case.threads for one in wanted}),
        seconds=suite.settings["curve_seconds"],
        # of a survey that was cut short, too: its records stay in the profile
        sweeps_before=max((roof.sweep or 0 for roof in earlier), default=0),
        caches=tuple(
            (cache["level"], cache["size_bytes"] * cache["instances"])
            for cache in machine["cpu"]["caches"]
        ),
    )
    roofs = list(earlier) if was_finished(earlier) else []
    if not roofs:
        for finding in device.sweep(asked):
            keep(finding)
            if isinstance(finding, Roof):
                roofs.append(finding)
    curve = device.curve(roofs, asked)
    free, most = device.room()
    arena = device.arena(arena_bytes(wanted, curve.span, most))
    context = Context(
        device=device,
        arena=arena,
        page_bytes=device.page_bytes(arena),
        last_level_bytes=curve.last_cache,
        span_bytes=curve.span,
        free_bytes=free,
        arithmetic=fastest_products(roofs, device.matmul),
        writes=write_roofs(roofs),
        precision=suite.settings["precision"],
        budget_seconds=suite.settings["budget_seconds"],
        longest_call_seconds=suite.settings["longest_call_seconds"],
        settle_seconds=device.settle_seconds,
        seed=seed,
    )
    return Survey(asked, curve, context, device.sentinel(arena, curve.span))


def was_finished(roofs: Iterable[Roof]) -> bool:
    """Whether an earlier process came to the end of the survey of which it left these roofs.

    The empty calls are its last part, one for each number of threads that the others have.
    """
    threads = {
        kind: {roof.threads for roof in roofs if roof.kind == kind} for kind in ("call", "read")
    }
    return bool(threads["call"]) and threads["call"] >= threads["read"]


def arena_bytes(wanted: Sequence[Planned], span: int, most: int) -> int:
    """Bytes that the weights of those points take that take `most` at the most; streamed ones span `span` bytes."""
    need = min(span, most)
    for one in wanted:
        try:
            layout = implementations.load(one.implementation).layout(one.case)
        except Exception:  # noqa: BLE001 - it will be a failed or skipped point, with the reason
            continue
        size = set_bytes(layout, one.case.dtype)
        of_point = weight_sets(one.case, size, span, most) * size
        if of_point <= most:  # else it will be skipped, with the reason
            need = max(need, of_point)
    return need
