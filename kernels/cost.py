"""What a step costs: FLOPs and compulsory bytes of a case. The only place where either is counted.

A multiply-add is 2 FLOPs. B, H, I are batch, hidden and input size; G the gates (RNN 1, GRU 3, LSTM 4); S the gate
sums handed from the linear to the pointwise part (RNN 1, LSTM 4, GRU 4); e_w and e_a the bytes of a weight and of an
activation.

Linear FLOPs: W is (G*H, I) and U is (G*H, H), each row times each of B columns is one multiply-add per element:
2*B*G*H*(I+H). Recurrent FLOPs are U's share alone, DeepBench's convention: 2*B*G*H*H.

Pointwise FLOPs, per unit and sequence, every add, multiply, tanh and sigmoid one; joining W x, U h and the two biases
of a gate takes 3 adds:

    RNN   3 adds, tanh                                                                        =  4
    LSTM  4 gates x 3 adds, 4 activations, f*c, i*g, their sum, tanh(c'), o*tanh              = 21
    GRU   2 gates x (3 adds + sigmoid), n: 2 bias adds, r*, add, tanh, then 1-z, *n, z*h, add = 17

These are the cell's; its parts are charged the same, although the linear part already joins W x and U h (1, 4, 2 adds).

Bytes are compulsory: every operand once, no write-allocate, padding or re-reading. Weights of int8 have biases of
float32, and a float32 scale for each row of W and of U: 2*G*H scales.

    cell       weights (G*H*(I+H) + 2*G*H)*e_w; x, h (and c) read, h' (and c') written: (B*I + 2*B*H [+ 2*B*H])*e_a
    linear     W, U: G*H*(I+H)*e_w; x, h read; the S*B*H gate sums written
    pointwise  the biases 2*G*H*e_w; gate sums, and the state it needs (LSTM c, GRU h, RNN none) read; state written
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernels.cells import GATE_SUMS, GATES
from kernels.contract import ELEMENT_BYTES

if TYPE_CHECKING:
    from kernels.contract import Case

POINTWISE_FLOPS_PER_UNIT = {"rnn": 4, "lstm": 21, "gru": 17}
STATES = {"rnn": 1, "lstm": 2, "gru": 1}
"""State vectors a step reads and writes: h, and LSTM's c."""


@dataclass(frozen=True, slots=True)
class Cost:
    """FLOPs and bytes of one time step. `bytes_read` + `bytes_written` = `weight_bytes` + `activation_bytes`."""

    linear_flops: int
    recurrent_flops: int
    pointwise_flops: int
    weight_bytes: int
    activation_bytes: int
    bytes_read: int
    bytes_written: int


def of(case: Case) -> Cost:
    """FLOPs and compulsory bytes of one time step of `case`; the derivation is this file's docstring."""
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    G, S = GATES[case.cell], GATE_SUMS[case.cell]
    e_w, e_a = ELEMENT_BYTES[case.dtype], ELEMENT_BYTES[case.activations]
    matrices, biases, scales = G * H * (I + H) * e_w, 2 * G * H * e_w, 0
    if case.dtype == "int8":
        biases = scales = 2 * G * H * ELEMENT_BYTES["float32"]
    state = STATES[case.cell] * B * H
    state_of_pointwise = 0 if case.cell == "rnn" else B * H

    if case.part == "cell":
        weights, read, written = matrices + scales + biases, B * I + state, state
    elif case.part == "linear":
        weights, read, written = matrices + scales, B * I + B * H, S * B * H
    else:
        weights, read, written = biases, S * B * H + state_of_pointwise, state

    multiplies = case.part != "pointwise"
    return Cost(
        linear_flops=2 * B * G * H * (I + H) if multiplies else 0,
        recurrent_flops=2 * B * G * H * H if multiplies else 0,
        pointwise_flops=0 if case.part == "linear" else POINTWISE_FLOPS_PER_UNIT[case.cell] * B * H,
        weight_bytes=weights,
        activation_bytes=(read + written) * e_a,
        bytes_read=weights + read * e_a,
        bytes_written=written * e_a,
    )
