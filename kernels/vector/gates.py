"""The pointwise part of a step for 16 units of one sequence, emitted as LLVM vectors (see llvm.py).

What numba's vectoriser makes of these loops costs an eighth of a resident step at H 512; as vectors they cost a
fiftieth. tanh is the rational approximation that Eigen and XLA use, an odd polynomial of degree 13 over an even one of
degree 6, and sigmoid(x) = tanh(x / 2) / 2 + 1/2. Against float64, over every float32 and with fused multiply-adds, tanh
is off by less than 3e-7, also of its own value, and sigmoid by less than 1.7e-7. Below the least normal float32 tanh is
off by up to 103 units of the last place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.case import GATES, LARGEST_INT8
from kernels.vector import llvm
from kernels.vector.limbs import LIMBS
from kernels.vector.llvm import F32, FLOATS, HALVES, I32, INTS, LANES, LINE_BYTES, ints

LIMIT = 7.99881172180175781
"""Here the approximation comes to 1, 2.3e-7 above tanh, and so it stays beyond."""
ODD = (
    4.89352455891786e-03,
    6.37261928875436e-04,
    1.48572235717979e-05,
    5.12229709037114e-08,
    -8.60467152213735e-11,
    2.00018790482477e-13,
    -2.76076847742355e-16,
)
EVEN = (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)


@intrinsic(prefer_literal=True)
def gates(
    _typing: Any, sums_x: Any, sums_h: Any, steps_x: Any, steps_h: Any, biases: Any, scales: Any,
    state: Any, new_h: Any, new_c: Any, count: Any, cell: Any, kind: Any, activations: Any,
) -> Any:  # fmt: skip
    """New state of `count` units (1 to 16) of one sequence, from the sums of its two products.

    sums_x, sums_h    addresses of what `products` stored for this sequence: [limbs][gates][16]
    steps_x, steps_h  addresses of what a limb's unit is worth and the sums of the limbs times 128, with limbs
    biases, scales    addresses of [2][gates][16] in the weights' dtype (float32 for int8), for W and for U
    state             address of c (LSTM) or h (GRU); new_h, new_c where the new state goes
    """
    literals = (cell, kind, activations)
    signature = types.void(*(types.uintp,) * 10, *literals)
    name, product, dtype = (t.literal_value for t in literals)
    G = GATES[name]

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sums, steps = arguments[:2], arguments[2:4]
        bias_at, scale_at, state_at, h_at, c_at, units = arguments[4:10]

        def part(part: int, gate: int) -> Lanes:
            """W x + b_w (part 0) or U h + b_u (part 1) of this gate."""
            if product == "int8 limbs":
                total = _of_limbs(builder, sums[part], steps[part], gate, G)
            else:
                total = floats(builder, sums[part], gate)
            place = part * G + gate
            if product.startswith("int8"):
                total = total * (floats(builder, scale_at, place) * (1 / LARGEST_INT8))
            of_place = _halves if product.startswith("bfloat16") else floats
            return total + of_place(builder, bias_at, place)

        def whole(gate: int) -> Lanes:
            return part(0, gate) + part(1, gate)

        def before() -> Lanes:
            if dtype == "bfloat16":
                return _widened(builder, llvm.masked_load(builder, state_at, HALVES, units))
            return Lanes(builder, llvm.masked_load(builder, state_at, FLOATS, units))

        def store(lanes: Lanes, address: Any) -> None:
            value = _narrowed(builder, lanes) if dtype == "bfloat16" else lanes.value
            llvm.masked_store(builder, value, address, units)

        if name == "rnn":
            store(tanh(whole(0)), h_at)
        elif name == "lstm":
            i, f, o = (sigmoid(whole(gate)) for gate in (0, 1, 3))
            c = f * before() + i * tanh(whole(2))
            store(c, c_at)
            store(o * tanh(c), h_at)
        else:
            r, z = (sigmoid(whole(gate)) for gate in (0, 1))
            n = tanh(part(0, 2) + r * part(1, 2))
            store(n + z * (before() - n), h_at)

    return signature, generate


@dataclass
class Lanes:
    """16 floats in registers while code is being emitted, with the operators of arithmetic."""

    builder: Any
    value: Any

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fadd, other, flags=("contract",))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fsub, other)

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._with(self.builder.fmul, other, flags=("contract",))

    def __truediv__(self, other: Lanes) -> Lanes:
        return self._with(self.builder.fdiv, other)

    def _with(self, emit: Any, other: Lanes | float, **flags: Any) -> Lanes:
        value = other.value if isinstance(other, Lanes) else _every(other)
        return Lanes(self.builder, emit(self.value, value, **flags))

    def clamped(self, limit: float) -> Lanes:
        """Within -limit to limit; what is not a number stays none."""
        value = self.value
        for sign, bound in ((">", limit), ("<", -limit)):
            beyond = self.builder.fcmp_ordered(sign, value, _every(bound))
            value = self.builder.select(beyond, _every(bound), value)
        return Lanes(self.builder, value)


def _every(number: float) -> Any:
    """The same number in every lane."""
    return ir.Constant(FLOATS, [number] * LANES)


def tanh(x: Lanes) -> Lanes:
    x = x.clamped(LIMIT)
    square = x * x
    return x * _polynomial(square, ODD) / _polynomial(square, EVEN)


def sigmoid(x: Lanes) -> Lanes:
    return tanh(x * 0.5) * 0.5 + 0.5


def _polynomial(x: Lanes, coefficients: tuple[float, ...]) -> Lanes:
    total = x * coefficients[-1] + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        total = total * x + coefficient
    return total


def _of_limbs(b: Any, sums: Any, record: Any, gate: int, gates: int) -> Lanes:
    """The sums of both limbs, less 128 times what the limbs add up to, times what their unit is worth."""
    values = []
    for limb in range(LIMBS):
        at = llvm.shifted(b, sums, (limb * gates + gate) * LINE_BYTES)
        excess = llvm.splat(b, llvm.load(b, llvm.shifted(b, record, 4 + 4 * limb), I32, 4))
        exact = b.sub(llvm.load(b, at, INTS, LINE_BYTES), excess)
        values.append(Lanes(b, b.sitofp(exact, FLOATS)))
    high, low = values
    return (high * 256.0 + low) * Lanes(b, llvm.splat(b, llvm.load(b, record, F32, 4)))


def floats(b: Any, address: Any, place: int) -> Lanes:
    at = llvm.shifted(b, address, place * LINE_BYTES)
    return Lanes(b, llvm.load(b, at, FLOATS, LINE_BYTES))


def _halves(b: Any, address: Any, place: int) -> Lanes:
    size = LINE_BYTES // 2
    return _widened(b, llvm.load(b, llvm.shifted(b, address, place * size), HALVES, size))


def _widened(b: Any, halves: Any) -> Lanes:
    return Lanes(b, b.bitcast(b.shl(b.zext(halves, INTS), ints(16)), FLOATS))


def _narrowed(b: Any, lanes: Lanes) -> Any:
    """To the nearest bfloat16, ties to even; what is not a number stays none."""
    bits = b.bitcast(lanes.value, INTS)
    odd = b.and_(b.lshr(bits, ints(16)), ints(1))
    rounded = b.add(bits, b.add(odd, ints(0x7FFF)))
    number = b.fcmp_ordered("ord", lanes.value, lanes.value)
    kept = b.select(number, rounded, ints(0x7FC00000))
    return b.trunc(b.lshr(kept, ints(16)), HALVES)
