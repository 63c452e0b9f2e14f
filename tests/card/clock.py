"""Our clock beside Triton's own, on the same steps: `python -m tests.card.clock`. 1 where they are 2 % apart.

`do_bench_cudagraph` replays a graph of many calls; ours has them behind a kernel that waits, or replays a graph too.
Weights are several sets in turn, larger together than the second-level cache, so that neither clock finds them there.
`do_bench` empties the cache before each call and times each by itself, launch and all: told, and held to nothing.
"""

from __future__ import annotations

import itertools
import sys

from kernels.case import Case

MOST_APART = 0.02
SETS = 3
CASES = (("triton_fused", 1), ("triton_fused", 8), ("torch_cell", 1))
"""Implementations and batches of an LSTM step of 4096 units in bfloat16: 268 MB of weights each."""


def calls_of(name, batch):
    """A function that makes the next call of the rotation through weights and inputs."""
    import torch

    from kernels import implementations
    from kernels.reference.inputs import Arena, draw, set_bytes

    words = {"dtype": "bfloat16", "activations": "bfloat16", "device": "cuda", "threads": 0}
    case = Case("lstm", 4096, 4096, batch, residency="streamed", **words)
    made = implementations.load(name)
    if reason := made.unavailable(case):
        raise RuntimeError(reason)
    layout = made.layout(case)
    arena = Arena(SETS * set_bytes(layout, case.dtype), "cuda", 0)
    inputs = draw(case, torch.Generator(device="cuda").manual_seed(0))
    bind = made.prepare(case, arena.sets(layout, case.dtype, SETS), inputs)
    turning = itertools.cycle([bind(j % SETS, j % len(inputs)) for j in range(SETS)])

    def call():
        return next(turning)()

    return call


def compared(name, batch):
    """Seconds of a step by each clock."""
    import torch
    from triton import testing

    from bench.timing import cuda_clock
    from kernels.gpu import graphs

    with torch.inference_mode():
        call = calls_of(name, batch)
        call()
        replay, _ = graphs.captured(call, times=SETS * 4)

        def block(run):
            def calls(count):
                for _ in range(count):
                    run()

            return calls

        clock = cuda_clock.Clock()
        found = {}
        for label, run, of in (("ours, launched", call, 1), ("ours, in a graph", replay, SETS * 4)):
            count = clock.calls_for(block(run), 0.02)
            found[label] = sorted(clock.seconds_each(block(run), count) / of for _ in range(5))[2]
        found["do_bench_cudagraph"] = (
            testing.do_bench_cudagraph(call, rep=60, return_mode="median") / 1e3
        )
        found["do_bench"] = testing.do_bench(call, warmup=10, rep=60, return_mode="median") / 1e3
    return found


def main():
    """Print every clock's figure; 1 where ours in a graph is not within MOST_APART of Triton's."""
    from bench.machine import gpus

    if reason := gpus.no_cuda_reason():
        print(f"no clock to compare: {reason}")
        return 1
    wrong = 0
    for name, batch in CASES:
        try:
            found = compared(name, batch)
        except Exception as error:  # noqa: BLE001 - the next one is told all the same
            print(f"{name}, batch {batch}: {type(error).__name__}: {error}", flush=True)
            wrong += 1
            continue
        ratios = [found[label] / found["do_bench_cudagraph"] for label in found if "ours" in label]
        apart = min(abs(ratio - 1) for ratio in ratios)
        told = ", ".join(f"{label} {1e6 * seconds:.2f} us" for label, seconds in found.items())
        print(
            f"{name}, batch {batch}: {told}: {ratios[0]:.4f} and {ratios[1]:.4f} of do_bench_cudagraph",
            flush=True,
        )
        wrong += apart > MOST_APART
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
