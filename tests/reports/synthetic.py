"""Profiles made of known figures, so that every derived one can be worked out by hand.

The machine: two threads, L1 330, L2 190, L3 155 and DRAM 52 GB/s to read, 40 to write, products of 180 GFLOP/s in
float32 and 410 in bfloat16.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from bench.profile.records import Level, Point, Profile, Roof, Visit
from kernels.case import Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KIB, MIB = 1 << 10, 1 << 20
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
ELEMENT = {"float32": 4, "bfloat16": 2}
READ = ((64 * KIB, 330e9), (2 * MIB, 190e9), (32 * MIB, 155e9), (None, 52e9))
WRITE_BYTES_PER_S = 40e9
MATMUL = {"float32": 180e9, "bfloat16": 410e9}
VISITED = (-1.0, -0.4, -0.2, 0.8, -0.8, 0.0, 1.0, -0.6, 0.2, 0.4, 0.6)
AT = "2025-01-02T03:04:05Z"


def roof(kind: str, samples: Sequence[float], **fields: Any) -> Roof:
    """A measured roof of the CPU at two threads."""
    units = {"matmul": "flop/s", "floor": "s", "call": "s", "barrier": "s"}
    known: dict[str, Any] = {
        "device": "cpu", "kind": kind, "source": "measured", "dtype": None, "working_set_bytes": None,
        "page_bytes": 4096, "threads": 2, "implementation": "probe", "unit": units.get(kind, "byte/s"),
        "samples": tuple(samples), "at": (AT,) * len(samples),
    }  # fmt: skip
    return Roof(**(known | fields))


def bandwidth_at(working_set: int) -> float:
    """The read roof of the synthetic machine at two threads, byte/s."""
    return next(rate for up_to, rate in READ if up_to is None or working_set <= up_to)


def curve(threads: int = 2, scale: float = 1.0) -> list[Roof]:
    """A read curve from 32 KiB to 128 MiB."""
    sizes = [32 * KIB << step for step in range(13)]
    return [
        roof(
            "read",
            [bandwidth_at(size * 2 // threads) * scale * share for share in (0.9, 1.0, 0.95)],
            working_set_bytes=size,
            threads=threads,
        )
        for size in sizes
    ]


def levels() -> tuple[Level, ...]:
    """The plateaus of that curve."""
    names = ("L1", "L2", "L3", "DRAM")
    return tuple(Level("cpu", name, *plateau) for name, plateau in zip(names, READ, strict=True))


def counts(case: Case) -> tuple[dict[str, int], dict[str, int]]:
    """FLOPs and bytes, written down anew: an oracle must not import what it checks."""
    B, H, I, G = case.batch, case.hidden, case.input, GATES[case.cell]  # noqa: E741
    e = ELEMENT[case.dtype]
    states = 2 if case.cell == "lstm" else 1
    weights = (G * H * (I + H) + 2 * G * H) * e
    written = states * B * H * e
    read = weights + (B * I + states * B * H) * e
    flops = {
        "linear": 2 * B * G * H * (I + H),
        "recurrent": 2 * B * G * H * H,
        "pointwise": 21 * B * H,
    }
    if case.phase == "train":
        return _counts_of_training(case, weights)
    return flops, {
        "weights": weights,
        "activations": read - weights + written,
        "read": read,
        "written": written,
    }


def _counts_of_training(case: Case, weights: int) -> tuple[dict[str, int], dict[str, int]]:
    """Matrices read twice, biases once, gradients written; as many activations as 20 values a unit, half each way."""
    B, H, G, e = case.batch, case.hidden, GATES[case.cell], ELEMENT[case.dtype]
    moved = 10 * B * H * e
    fetched = 2 * weights - 2 * G * H * e
    flops = {
        name: 3 * 2 * B * G * H * n for name, n in (("linear", case.input + H), ("recurrent", H))
    }
    return {**flops, "pointwise": 48 * B * H}, {
        "weights": fetched + weights,
        "activations": 2 * moved,
        "read": fetched + moved,
        "written": weights + moved,
        "gradients": weights,
    }


def point(
    cell: str = "lstm",
    *,
    fraction: float = 0.5,
    spread: float = 0.01,
    floor: float = 1e-6,
    rounds: int = 11,
    visits: int | None = None,
    implementation: str = "torch_cell",
    **case: Any,
) -> Point:
    """A good point planted at `fraction` of its roof in the middle round; the rounds go from -spread to +spread.

    `visits` is 3 or None: a third of 11 rounds each, with medians at -0.3, 0 and 0.3 of the spread.
    """
    sizes: dict[str, Any] = {
        "hidden": 1024,
        "batch": 1,
        "residency": "streamed",
        "threads": 2,
    } | case
    made = Case(
        cell, **({"input": sizes["hidden"], "activations": sizes.get("dtype", "float32")} | sizes)
    )
    flops, moved = counts(made)
    sets = max(1, -(-128 * MIB // moved["weights"])) if made.residency == "streamed" else 1
    reading = bandwidth_at(moved["weights"] * sets)
    t_bytes = moved["read"] / reading + moved["written"] / WRITE_BYTES_PER_S
    peak = max(MATMUL[name] for name in {made.dtype, "float32"})
    limit = max(t_bytes, flops["linear"] / peak)
    places = VISITED if visits else [2 * index / (rounds - 1) - 1 for index in range(rounds)]
    shares = [1 + spread * place for place in places]
    return Point(
        case=made,
        implementation=implementation,
        status="ok",
        version="torch 2.9.1",
        at=AT,
        seconds=tuple(limit / (fraction * share) for share in shares),
        steps_per_sample=16,
        roof_bytes_per_s=(reading,) * rounds,
        floor_seconds=floor,
        flops=flops,
        bytes=moved,
        weight_sets=sets,
        working_set_bytes=moved["weights"] * sets,
        page_bytes=4096,
        error=1e-7,
        tolerance=1e-5,
        visits=tuple(Visit(AT, count) for count in (4, 3, 4)) if visits else None,
    )


def profile(points: Iterable[Point] = (), **fields: Any) -> Profile:
    """A complete profile of the synthetic machine with these points."""
    made = Profile(
        created=AT,
        suite="synthetic",
        seed=1,
        project={"version": "0.1.0", "commit": "0" * 40, "dirty": False},
        machine={
            "id": "0123456789abcdef", "label": "Synthetic CPU", "os": "Linux", "kernel": "6.1",
            "virtualization": "kvm", "memory_bytes": 24 << 30, "numa_nodes": 1, "page_bytes": 4096,
            "cpu": {
                "model": "Synthetic CPU", "architecture": "x86_64", "sockets": 1, "cores": 2, "threads": 2,
                "isa": ["avx2", "avx512f"],
                "caches": [
                    {"level": 1, "type": "Data", "size_bytes": 32 * KIB, "instances": 2},
                    {"level": 1, "type": "Instruction", "size_bytes": 32 * KIB, "instances": 2},
                    {"level": 2, "type": "Unified", "size_bytes": MIB, "instances": 2},
                    {"level": 3, "type": "Unified", "size_bytes": 32 * MIB, "instances": 1},
                ],
            },
            "gpus": [],
        },
        environment={"python": "3.11.7", "packages": {"torch": "2.9.1"}, "threads": 2, "cores": [0, 1]},
        settings={"precision": 0.04, "device": "cpu"},
        complete=True,
        roofs=(
            *curve(),
            *curve(threads=1, scale=0.55),
            roof("write", [30e9, WRITE_BYTES_PER_S], working_set_bytes=64 * KIB),
            roof("copy", [45e9], working_set_bytes=128 * MIB),
            roof("triad", [48e9], working_set_bytes=128 * MIB),
            *(roof("matmul", [rate * 0.9, rate], dtype=dtype) for dtype, rate in MATMUL.items()),
        ),
        levels=levels(),
        points=tuple(points),
    )  # fmt: skip
    return replace(made, **fields)


def suite() -> Profile:
    """As many points as the quick suite has, for tables, plots and pages."""
    points = []
    sizes = (("rnn", 1024), ("lstm", 256), ("lstm", 1024), ("lstm", 2048), ("gru", 1024))
    for (cell, hidden), residency in product(sizes, ("resident", "streamed")):
        for batch, name in product((1, 2, 4, 8, 16, 64), ("torch_cell", "torch_gates")):
            share = {"torch_cell": 0.72, "torch_gates": 0.86}[name]
            if name == "torch_cell" and batch in (2, 4):
                share *= 0.55
            case = {"hidden": hidden, "residency": residency, "batch": batch}
            look = {"fraction": share, "spread": 0.03, "floor": 3e-6, "implementation": name}
            points.append(point(cell, **look, **case))
    points += [point(dtype="bfloat16", fraction=0.7, batch=batch) for batch in (1, 4, 16, 64)]
    refused = Case("gru", 512, 512, 1, dtype="bfloat16", activations="bfloat16", threads=2)
    points.append(Point(refused, "torch_gates", "skipped", reason="takes float32 only"))
    points.append(Point(replace(refused, batch=4), "torch_gates", "failed", reason="wrong by 3e-2"))
    return profile(points)


def moved(still: Point, rates: Sequence[float]) -> Point:
    """The same step at the same fraction of a roof that goes from one rate to the next, round by round."""
    peak = max(MATMUL[name] for name in {still.case.dtype, "float32"})

    def limit(rate: float) -> float:
        assert still.bytes
        assert still.flops
        t_bytes = still.bytes["read"] / rate + still.bytes["written"] / WRITE_BYTES_PER_S
        return max(t_bytes, still.flops["linear"] / peak)

    paired = [rates[index % len(rates)] for index in range(len(still.seconds))]
    before = limit(still.roof_bytes_per_s[0])
    seconds = [s * limit(rate) / before for s, rate in zip(still.seconds, paired, strict=True)]
    return replace(still, roof_bytes_per_s=tuple(paired), seconds=tuple(seconds))


def moving(**fields: Any) -> Profile:
    """Points of every kind, beside whose sets the memory gave 46 to 126 GB/s where its line is at 52."""
    rates = (46e9, 60e9, 90e9, 126e9)
    cases: list[dict[str, Any]] = [
        {"batch": batch, "residency": residency, "implementation": name, "fraction": fraction}
        for batch in (1, 4, 16, 64)
        for residency in ("streamed", "resident")
        for name, fraction in (("torch_cell", 0.6), ("numba_fused", 1.0))
    ]
    points = [
        moved(point(**case), rates[index % 4 :] + rates[: index % 3])
        for index, case in enumerate(cases)
    ]
    points += [point("gru", dtype="bfloat16", fraction=0.9, activations="float32")]
    return profile(points, **fields)
