"""Our own sequence on a CPU: all steps in one parallel region, each core with its own part of U (`vector/sequence.py`).

The products of all inputs with W come first. Then each thread goes through the same blocks of U at every step, and a
barrier of all threads parts the steps: what of U fits a core's own cache stays there from the first step to the last.
Products, gates and their dtypes are those of `numba_fused`.

Reads W, its biases (int8: and scales) and all x once a call, U and its own at every step, the first h (c); writes the
products with W, every h, and the last c, to memory that is used again. NaN comes out where NaN goes in. int8 in limbs
has one unit for all activations of a sequence: an infinity, too, makes its new state NaN.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from kernels.case import ELEMENT_BYTES, GATES, Case
from kernels.contract import Bind, InputSets, Reads, Sets, Step, Support, Tensors
from kernels.implementations import _layouts, numba_fused
from kernels.reference.cells import Weights
from kernels.reference.inputs import Floats, Layout
from kernels.vector import barrier, tiles
from kernels.vector.cuts import MOST_LINES, STREAMS, chunk, most, passes, sized
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.products import DEPTH, GROUP_BYTES, TURNS, as_they_lie, limbs
from kernels.vector.sequence import Places, Plan, compiled
from kernels.vector.tiles import Tile

label = "sequence (numba)"
version = numba_fused.version

SUPPORTS = Support(
    device=("cpu",),
    part=("cell",),
    weights_x_activations=numba_fused.SUPPORTS.weights_x_activations,
    sequences=True,
    residency=("resident",),
    instead={
        "part": "its linear and pointwise parts are one",
        "device": "triton_persistent and cuda_persistent are our sequences on a GPU",
    },
)

OF_A_GATE = 4
"""Lines of a gate's biases and scales, of W and of U each."""


def reads(case: Case, own_bytes: int | None) -> Reads:
    """U from the cores' own caches where each holds what a step of its thread meets: blocks of U, sums of W, all h."""
    if own_bytes is None or SUPPORTS.unavailable(case):
        return {"W": "per_call", "U": "per_step"}
    G, B, kind = GATES[case.cell], case.batch, numba_fused.products_of(case)
    blocks, turns = -(-case.hidden // LANES), -(-case.hidden // DEPTH[kind])
    of_a_block = (turns + OF_A_GATE + B * limbs(kind)) * G * LINE_BYTES
    met = -(-blocks // case.threads) * of_a_block + 2 * B * case.hidden * ELEMENT_BYTES["float32"]
    held = met <= own_bytes
    return {"W": "per_call", "U": "own_cache" if held else "per_step"}


def layout(case: Case) -> Layout:
    """U in blocks (blocks, k, G*16, depth), scales of int8 and biases (blocks, 2, G, 16), then W as U."""
    blocks, G = -(-case.hidden // LANES), GATES[case.cell]
    depth = DEPTH[case.dtype]
    U, W = ((blocks, -(-n // depth), G * LANES, depth) for n in (case.hidden, case.input))
    beside = (blocks, 2, G, LANES)
    return (U, Floats(beside), Floats(beside), W) if case.dtype == "int8" else (U, beside, W)


def canonical(case: Case, tensors: Tensors) -> Weights:
    """Unpacked, without what fills up a block; int8 as the floats it stands for."""
    packed_u, *scales, biases, packed_w = tensors
    G, H = GATES[case.cell], case.hidden

    def matrix(packed: Tensor, columns: int) -> Tensor:
        blocks, turns, _, depth = packed.shape
        rows = packed.transpose(1, 2).reshape(blocks, G, LANES, turns * depth)
        return _layouts.stacked(rows, H)[:, :columns]

    W, U = matrix(packed_w, case.input), matrix(packed_u, H)
    if scales:
        of_w, of_u = (_layouts.stacked(scales[0][:, part], H) for part in range(2))
        W, U = _layouts.meant(case, W, of_w), _layouts.meant(case, U, of_u)
    return Weights(W, U, *(_layouts.stacked(biases[:, part], H) for part in range(2)))


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Compile for the case, and bind addresses of one set of weights and one set of inputs to the call."""
    skeleton = numba_fused.skeleton(case)
    run = compiled(skeleton)
    T, B, H, I = case.steps, case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    first = inputs[0].h
    out, c_new = first.new_empty(T, B, H), torch.empty_like(first)
    answer = (out, c_new) if case.cell == "lstm" else (out,)
    plan = np.array(_plan(skeleton.kind, case), np.int64)
    work, places = _memory(skeleton.kind, plan, case)
    in_place = B == 1 and as_they_lie(skeleton.kind, case.activations, H)
    threads = min(case.threads, numba.get_num_threads())

    def bind(w: int, i: int) -> Step:
        given, (U, *beside, W) = inputs[i], sets[w]
        c = given.c if case.cell == "lstm" else given.h
        tensors = U, W, beside[0], beside[-1], given.x, given.h, c, out, c_new
        arguments = (
            *(tensor.data_ptr() for tensor in tensors),
            *(T, B, I, H, threads, in_place),
            *places,
        )

        def sequence() -> Tensors:
            run(*arguments)
            return answer

        sequence.keeps = plan, work, tensors  # type: ignore[attr-defined] # alive: it knows their addresses only
        return sequence

    return bind


compiled_as = numba_fused.compiled_as
"""Cases of one skeleton share a sequence, and those of one batch their tiles."""


def _plan(kind: str, case: Case) -> Plan:
    """How to cut this case: as many sequences at once as leave room for the sums of all gates of a block."""
    G, B = GATES[case.cell], case.batch

    def tile(streams: int, size: int, count: int) -> int:
        return tiles.compiled(Tile(kind, G, size, streams, G, 0, 0)).address if count else 0

    of_rows, of_h = (sized(passes(n, max(1, most(kind, G, n)))) for n in (case.steps * B, B))
    streams = max(
        n
        for n in STREAMS
        if n == 1 or (n * G <= MOST_LINES and max(1, most(kind, n * G, B)) >= of_h[0])
    )

    def tiled(at_once: int, of: tuple[int, int, int]) -> list[int]:
        return [tile(at_once, of[0] - n, of[1 + n]) for n in range(2)]

    over_w = [*of_rows, chunk(G), *tiled(1, of_rows)]
    return Plan._make([*over_w, streams, *of_h, *tiled(streams, of_h), *tiled(1, of_h)])


def _memory(kind: str, plan: np.ndarray, case: Case) -> tuple[np.ndarray, Places]:
    """Memory beside weights, inputs and outputs, all zeros; and what lies where in it."""
    G, per_sum, R = GATES[case.cell], limbs(kind), case.steps * case.batch
    per_block = DEPTH[kind] * TURNS
    rows_bytes, h_bytes = (
        -(-n // per_block) * GROUP_BYTES[kind] for n in (case.input, case.hidden)
    )
    row = per_sum * G * LINE_BYTES
    sums_bytes = int(plan[Plan._fields.index("streams")]) * case.batch * row
    own_bytes = sums_bytes + case.batch * (h_bytes + LINE_BYTES)
    sizes = (
        barrier.BYTES,
        R * rows_bytes,
        R * LINE_BYTES,
        -(-case.hidden // LANES) * R * row,
        case.threads * own_bytes,
    )
    work = np.zeros(sum(sizes) + LINE_BYTES, np.uint8)
    start = _lines(work.ctypes.data)
    barriers, rows, units, sums, own = (start + sum(sizes[:n]) for n in range(len(sizes)))
    return work, Places(
        barriers,
        plan.ctypes.data,
        rows,
        units,
        sums,
        own,
        rows_bytes,
        h_bytes,
        sums_bytes,
        own_bytes,
    )


def _lines(size: int) -> int:
    return -(-size // LINE_BYTES) * LINE_BYTES
