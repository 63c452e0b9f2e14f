"""The pointwise part of a training step for 16 units of one sequence: what it keeps, and what it makes of gradients.

Forward, gate sums become gates where they lie; backward, gates and the gradients of the new state become those of the
gate sums. The equations are those of `kernels.cost`; a place is 16 floats, and a unit's places are those of
`GATE_SUMS`: RNN h', LSTM i f g o, GRU r z n q.
"""

# mypy: disallow-untyped-decorators=False

from typing import Any

from numba import types
from numba.extending import intrinsic

from kernels.case import GATE_SUMS, GATES
from kernels.training.lines import ZERO
from kernels.vector import llvm
from kernels.vector.gates import Lanes, floats, sigmoid, tanh
from kernels.vector.llvm import FLOATS, LINE_BYTES


@intrinsic(prefer_literal=True)
def keep(
    _typing: Any, sums: Any, biases: Any, state: Any, new_h: Any, new_c: Any, count: Any, cell: Any
) -> Any:
    """Turn the sums of `count` units (1 to 16) of one sequence into gates, in place, and store their new state.

    sums           address of the places, GRU's W_n x and U_n h apart, without biases
    biases         address of [2][gates][16], for W and for U
    state          address of c (LSTM) or h (GRU); new_h, new_c where the new state goes
    """
    signature = types.void(*(types.uintp,) * 6, cell)
    name = cell.literal_value
    G = GATES[name]

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sums, biases, state, h_at, c_at, count = arguments[:6]

        def bias(part: int, gate: int) -> Lanes:
            return floats(builder, biases, part * G + gate)

        def whole(gate: int) -> Lanes:
            return floats(builder, sums, gate) + (bias(0, gate) + bias(1, gate))

        before = Lanes(builder, llvm.masked_load(builder, state, FLOATS, count))
        if name == "rnn":
            kept = [tanh(whole(0))]
            new = kept
        elif name == "lstm":
            i, f, o = (sigmoid(whole(gate)) for gate in (0, 1, 3))
            g = tanh(whole(2))
            kept, c = [i, f, g, o], f * before + i * g
            new = [o * tanh(c), c]
        else:
            r, z = (sigmoid(whole(gate)) for gate in (0, 1))
            q = floats(builder, sums, 3) + bias(1, 2)
            n = tanh(floats(builder, sums, 2) + bias(0, 2) + r * q)
            kept, new = [r, z, n, q], [n + z * (before - n)]
        for place, lanes in enumerate(kept):
            at = llvm.shifted(builder, sums, place * LINE_BYTES)
            llvm.store(builder, lanes.value, at, LINE_BYTES)
        for lanes, address in zip(new, (h_at, c_at), strict=False):
            llvm.masked_store(builder, lanes.value, address, count)

    return signature, generate


@intrinsic(prefer_literal=True)
def derive(
    _typing: Any, kept: Any, state: Any, new_c: Any, d_new_h: Any, d_new_c: Any, d: Any, apart: Any,
    beside: Any, count: Any, cell: Any,
) -> Any:  # fmt: skip
    """Gradients of the gate sums of `count` units (1 to 16) of one sequence, from those of their new state.

    kept              address of the places, as `keep` leaves them
    state             address of c (LSTM) or h (GRU); new_c of c'
    d_new_h, d_new_c  addresses of the gradients of h' and, of LSTM, of c'
    d, apart          address of the first place's gradients, and bytes from a place to the next
    beside            LSTM: where d_c goes, `count` floats; GRU: 16 floats that d_h' z, h's share past the products, is
                      added to
    """
    signature = types.void(*(types.uintp,) * 9, cell)
    name = cell.literal_value

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kept, state, c_at, d_h_at, d_c_at, target, apart, beside, count = arguments[:9]

        def given(address: Any) -> Lanes:
            """The others are 0, and so are all their gradients."""
            return Lanes(builder, llvm.masked_load(builder, address, FLOATS, count))

        places = [floats(builder, kept, place) for place in range(GATE_SUMS[name])]
        d_h = given(d_h_at)
        if name == "rnn":
            found = [_through_tanh(d_h, places[0])]
        elif name == "lstm":
            i, f, g, o = places
            t = tanh(given(c_at))
            d_c = given(d_c_at) + _through_tanh(d_h * o, t)
            found = [
                _through_sigmoid(d_c * g, i),
                _through_sigmoid(d_c * given(state), f),
                _through_tanh(d_c * i, g),
                _through_sigmoid(d_h * t, o),
            ]
            llvm.masked_store(builder, (d_c * f).value, beside, count)
        else:
            r, z, n, q = places
            d_n = _through_tanh(d_h - d_h * z, n)
            found = [
                _through_sigmoid(d_n * q, r),
                _through_sigmoid(d_h * (given(state) - n), z),
                d_n,
                d_n * r,
            ]
            past = floats(builder, beside, 0) + d_h * z
            llvm.store(builder, past.value, beside, LINE_BYTES)
        for place, lanes in enumerate(found):
            at = builder.add(target, builder.mul(apart, llvm.i64(place)))
            llvm.store(builder, lanes.value, at, LINE_BYTES)

    return signature, generate


@intrinsic
def of_bias(_typing: Any, d: Any, batch: Any, target: Any) -> Any:
    """A bias's gradient of 16 units: the sum of d, [batch][16], over the sequences."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        d, batch, target = arguments

        def add(number: Any, total: list[Any]) -> list[Any]:
            at = builder.add(d, builder.mul(number, llvm.i64(LINE_BYTES)))
            return [builder.fadd(total[0], llvm.load(builder, at, FLOATS, LINE_BYTES))]

        (total,) = llvm.loop(builder, batch, add, [ZERO])
        llvm.store(builder, total, target, LINE_BYTES)

    return types.void(*(types.uintp,) * 3), generate


def _through_tanh(d: Lanes, value: Lanes) -> Lanes:
    """d (1 - v^2), v being the tanh."""
    return d - d * value * value


def _through_sigmoid(d: Lanes, value: Lanes) -> Lanes:
    """d v (1 - v), v being the sigmoid."""
    there = d * value
    return there - there * value
