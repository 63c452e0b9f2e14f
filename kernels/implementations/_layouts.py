"""Layouts of weights that several implementations want: `layout` and `canonical` of each, and what is quantised."""

from torch import Tensor

from kernels.case import GATES, QUANTISED, Case
from kernels.contract import Tensors
from kernels.reference.cells import Weights
from kernels.reference.inputs import Floats, Layout


def layout(case: Case) -> Layout:
    """W, U, b_w, b_u as PyTorch keeps them; a part takes what it reads and leaves the others empty.

    int8 and float8 have float32 biases, and between matrices and biases the float32 scales of the rows of W and of U.
    """
    rows = GATES[case.cell] * case.hidden
    matrices = ((rows, case.input), (rows, case.hidden))
    biases = (rows if case.part != "linear" else 0,)
    if case.dtype in QUANTISED:
        return *matrices, *(Floats((rows,)),) * 2, *(Floats(biases),) * 2
    return *(matrices if case.part != "pointwise" else ((0, 0), (0, 0))), biases, biases


def canonical(case: Case, tensors: Tensors) -> Weights:
    """They are in PyTorch's convention already; quantised ones as the numbers they stand for, in float64."""
    W, U, *scales, b_w, b_u = tensors
    if scales:
        W, U = meant(case, W, scales[0]), meant(case, U, scales[1])
    return Weights(W, U, b_w, b_u)


def recurrent_first(case: Case) -> Layout:
    """U and b_u, which every step of a sequence reads, then W and b_w."""
    W, U, b_w, b_u = layout(case)
    return U, b_u, W, b_w


def stacked(of_block: Tensor, hidden: int) -> Tensor:
    """From blocks of units (blocks, G, units, ...) to PyTorch's order (G*H, ...), without the last one's filling."""
    blocks, gates, units, *beside = of_block.shape
    by_gate = of_block.transpose(0, 1).reshape(gates, blocks * units, *beside)
    return by_gate[:, :hidden].reshape(gates * hidden, *beside)


def meant(case: Case, matrix: Tensor, scales: Tensor) -> Tensor:
    """What quantised weights stand for in float64, by the scales of their rows."""
    return matrix.double() * (scales.double() / QUANTISED[case.dtype])[:, None]
