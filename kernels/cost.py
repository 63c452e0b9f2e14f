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

Bytes are compulsory: every operand once, no write-allocate, padding or re-reading. Weights of int8 and float8 have
biases of float32, and a float32 scale for each row of W and of U: 2*G*H scales.

    cell       weights (G*H*(I+H) + 2*G*H)*e_w; x, h (and c) read, h' (and c') written: (B*I + 2*B*H [+ 2*B*H])*e_a
    linear     W, U: G*H*(I+H)*e_w; x, h read; the S*B*H gate sums written
    pointwise  the biases 2*G*H*e_w; gate sums, and the state it needs (LSTM c, GRU h, RNN none) read; state written

Phase train is the whole step's forward pass, then its backward pass. Given d_h' (and d_c'), the gradients of the new
state, with v' for a gate's derivative by its own value, v (1 - v) for sigmoid and 1 - v^2 for tanh:

    RNN   d_n = d_h' n'                                                          with n = h' and its sum as the one gate
    LSTM  d_c'' = d_c' + d_h' o (1 - t^2)       with t = tanh(c')                d_c = d_c'' f
          d_i = d_c'' g i'   d_f = d_c'' c f'   d_g = d_c'' i g'   d_o = d_h' t o'
    GRU   d_z = d_h' (h - n) z'   d_n = d_h' (1 - z) n'   d_q = d_n r   d_r = d_n q r'      with q = U_n h + b_un

Its products are three times the step's: forward, D W and D U for the gradients of x and h (GRU: + d_h' z), D^T x and
D^T h for those of the weights. Pointwise FLOPs of the backward pass, per unit and sequence; d_v v' takes 3 for a
sigmoid (1-v, two multiplications) and for a tanh:

    RNN   d_h' n' 3, bias sum 1                                                                              =  4
    LSTM  tanh(c'), d_o 1, d_c'' 5, d_i d_f d_g d_c 4, four v' 12, bias sums 4                               = 27
    GRU   d_z 2 + 3, d_n 2 + 3, d_r 1 + 3, d_q 1, d_h' z 1 and added to D U 1, bias sums 4                   = 21

Between a step's two passes lies the rest of a sequence, so that each half counts its operands: x, h (c), W and U
are read in both, biases in the first alone. What the second needs of the first (V values a unit: RNN h', LSTM i f g o
c', GRU r z n q) is read there, and written before but for h' and c', which are outputs anyway (N: RNN 0, LSTM 4, GRU
4). Gradients are written once, not added to what was there; those of gate sums stay within the backward pass.

    forward   W, U, biases: (G*H*(I+H) + 2*G*H)*e_w; x, h (c) read; h' (c') and N*B*H kept values written
    backward  W, U: G*H*(I+H)*e_w; x, h (c), V*B*H kept values, d_h' (d_c') read; gradients of x, h (c) written, and
              those of the weights: (G*H*(I+H) + 2*G*H)*e_w, counted with the weights

A sequence of T steps is charged per step the T-th part of what its call reads and writes, in whole bytes. How often it
reads W (with its bias) and U (with its own), its implementation declares:

    per_step   T times a call
    own_cache  T times a call, each core its part, which its own cache holds from the first step to the last
    per_call   once a call: W because the products of all x_t come first, in one stage of B*T rows (W is hoisted), and
               U because it is kept on chip
    the rest   x T*B*I*e_a read; h_1 .. h_T T*B*H*e_a written; h_0 (and c_0) read and c_T written, B*H*e_a each

The sums that a hoisted stage hands to the steps, T*B*G*H, are neither argument nor answer and are not charged. The two
stages follow one another, so that their limits add up: Cost tells the first one's share apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kernels.case import ELEMENT_BYTES, GATE_SUMS, GATES, QUANTISED, Case

PER_STEP = {"W": "per_step", "U": "per_step"}
"""How a single step reads, and a sequence that is nothing but single steps."""

POINTWISE_FLOPS_PER_UNIT = {"rnn": 4, "lstm": 21, "gru": 17}
STATES = {"rnn": 1, "lstm": 2, "gru": 1}
"""State vectors a step reads and writes: h, and LSTM's c."""

BACKWARD_FLOPS_PER_UNIT = {"rnn": 4, "lstm": 27, "gru": 21}
KEPT = {"rnn": 1, "lstm": 5, "gru": 4}
"""Values per unit that the backward pass needs of the forward pass."""
KEPT_APART = {"rnn": 0, "lstm": 4, "gru": 4}
"""Those of them that are no outputs."""
WEIGHT_READS = {"step": 1, "train": 2}
"""How often a step of a phase goes through its matrices."""


@dataclass(frozen=True, slots=True)
class Cost:
    """FLOPs and bytes of one time step. `bytes_read` + `bytes_written` = `weight_bytes` + `activation_bytes`.

    `gradient_bytes`, of the weights' gradients, are part of `weight_bytes` and `bytes_written`; 0 but in phase train.
    `projection_flops` and `projection_bytes_read` are the part of `linear_flops` and `bytes_read` that a sequence with
    hoisted W spends before its first step; 0 in all other cases.
    """

    linear_flops: int
    recurrent_flops: int
    pointwise_flops: int
    weight_bytes: int
    activation_bytes: int
    bytes_read: int
    bytes_written: int
    gradient_bytes: int = 0
    projection_flops: int = 0
    projection_bytes_read: int = 0


def count(case: Case, reads: Mapping[str, str] = PER_STEP) -> Cost:
    """FLOPs and compulsory bytes of one time step of `case`; the derivation is this file's docstring.

    `reads` says how often a sequence reads W and U. Raises ValueError for a word it does not know.
    """
    if case.steps > 1:
        return _sequence(case, reads)
    if case.phase == "train":
        return _training(case)
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    G, S = GATES[case.cell], GATE_SUMS[case.cell]
    e_w, e_a = ELEMENT_BYTES[case.dtype], ELEMENT_BYTES[case.activations]
    matrices, biases, scales = G * H * (I + H) * e_w, 2 * G * H * e_w, 0
    if case.dtype in QUANTISED:
        biases = scales = 2 * G * H * ELEMENT_BYTES["float32"]
    state = STATES[case.cell] * B * H
    if case.part == "cell":
        weights, read, written = matrices + scales + biases, B * I + state, state
    elif case.part == "linear":
        weights, read, written = matrices + scales, B * I + B * H, S * B * H
    else:
        needed = 0 if case.cell == "rnn" else B * H
        weights, read, written = biases, S * B * H + needed, state
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


def _training(case: Case) -> Cost:
    """From a step's: products three times, and what each of the two passes reads and writes."""
    step, pointwise = (
        count(replace(case, phase="step", part=part)) for part in ("cell", "pointwise")
    )
    gradients, biases = step.weight_bytes, pointwise.weight_bytes
    weights = WEIGHT_READS["train"] * (gradients - biases) + biases
    given, new = step.activation_bytes - step.bytes_written, step.bytes_written
    units = case.batch * case.hidden
    one_each = units * ELEMENT_BYTES[case.activations]
    read = 2 * given + KEPT[case.cell] * one_each + new
    written = new + KEPT_APART[case.cell] * one_each + given
    return replace(
        step,
        linear_flops=3 * step.linear_flops,
        recurrent_flops=3 * step.recurrent_flops,
        pointwise_flops=step.pointwise_flops + BACKWARD_FLOPS_PER_UNIT[case.cell] * units,
        weight_bytes=weights + gradients,
        activation_bytes=read + written,
        bytes_read=weights + read,
        bytes_written=written + gradients,
        gradient_bytes=gradients,
    )


def walked_bytes(case: Case, reads: Mapping[str, str]) -> int:
    """Bytes of the weights that every step of a call reads: its working set. All of them where they stay on chip."""
    sizes = _matrix_bytes(case)
    return sum(size for name, size in sizes.items() if reads[name] != "per_call") or sum(
        sizes.values()
    )


def _sequence(case: Case, reads: Mapping[str, str]) -> Cost:
    """A single step's FLOPs, and the T-th part of a call's bytes."""
    T, B, e_a = case.steps, case.batch, ELEMENT_BYTES[case.activations]
    one, sizes = count(replace(case, steps=1)), _matrix_bytes(case)
    times = {"per_step": T, "own_cache": T, "per_call": 1}
    if unknown := [word for word in reads.values() if word not in times]:
        raise ValueError(f"reads {unknown[0]!r} is unknown: use one of {', '.join(times)}")
    weights = sum(size * times[reads[name]] for name, size in sizes.items())
    x, h, states = (
        B * width * e_a for width in (case.input, case.hidden, STATES[case.cell] * case.hidden)
    )
    read, written = (weights + T * x + states) // T, (T * h + states - h) // T
    hoisted = reads["W"] == "per_call"
    return replace(
        one,
        weight_bytes=weights // T,
        activation_bytes=read + written - weights // T,
        bytes_read=read,
        bytes_written=written,
        projection_flops=one.linear_flops - one.recurrent_flops if hoisted else 0,
        projection_bytes_read=(sizes["W"] + T * x) // T if hoisted else 0,
    )


def _matrix_bytes(case: Case) -> dict[str, int]:
    """W and U, each with its bias vector, and its scales where quantised."""
    rows = GATES[case.cell] * case.hidden
    e_w, beside = ELEMENT_BYTES[case.dtype], ELEMENT_BYTES[case.dtype]
    if case.dtype in QUANTISED:
        beside = 2 * ELEMENT_BYTES["float32"]
    return {"W": rows * (case.input * e_w + beside), "U": rows * (case.hidden * e_w + beside)}
