"""Arithmetic roofs of a GPU: large matrix products by PyTorch's library, per kind of product.

FLOPs: 2*M*N*K. Bytes: matrices that are reused; no memory is in the way. float32 is measured with and without tf32,
which rounds its factors to 10 bits. Not run on a card yet.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from bench.roofs._product import Shape, factors
from kernels.case import Unavailable

KIND = "matmul"
UNIT = "flop/s"
FLOAT8_CAPABILITY = (8, 9)

SHAPES = (Shape(4096, 4096, 4096), Shape(8192, 8192, 8192), Shape(8192, 4096, 8192))

KINDS = {
    "float32": (torch.float32, "ieee", 1),
    "tf32": (torch.float32, "tf32", 1),
    "tf32x3": (torch.float32, "tf32", 3),
    "bfloat16": (torch.bfloat16, "ieee", 1),
    "bfloat16x2": (torch.bfloat16, "ieee", 2),
    "bfloat16x3": (torch.bfloat16, "ieee", 3),
    "float16": (torch.float16, "ieee", 1),
    "float8": (torch.float8_e4m3fn, "ieee", 1),
}
"""The operands' dtype, how a float32 product may round its factors, and how many products of rounded terms stand for
one: three of tf32 make float32's, three of bfloat16 a product of bfloat16 weights with float32 activations, two one of
int8 weights with them (`kernels/gpu/step.py`). They count as one."""


def unavailable(kind: str, device: str) -> str | None:
    """Why this kind of product cannot be had here, or None."""
    if kind != "float8":
        return None
    if device != "cuda":
        return f"float8 products are a GPU's, and the device is a {device}"
    if torch.cuda.get_device_capability() < FLOAT8_CAPABILITY:
        return "float8 products need a GPU of compute capability 8.9 or newer"
    return None


def prepare(kind: str, shape: Shape, device: str) -> Callable[[int], Tensor]:
    """A function of the number of products, which returns the last. Raises Unavailable with the reason."""
    reason = unavailable(kind, device)
    if reason:
        raise Unavailable(reason)
    dtype, precision, terms = KINDS[kind]
    left, right = factors(shape, dtype, device)
    if kind == "float8":
        one = torch.ones((), device=device)

        def product() -> Tensor:
            return torch._scaled_mm(left, right, one, one, out_dtype=torch.bfloat16)

    else:
        out = torch.empty(shape.M, shape.N, dtype=dtype, device=device)

        def product() -> Tensor:
            return torch.mm(left, right, out=out)

    def run(count: int) -> Tensor:
        with _precision(precision):
            for _ in range(count * terms - 1):
                product()
            return product()

    return run


@contextmanager
def _precision(asked: str) -> Iterator[None]:
    """float32 products of the GPU's library so exact, and as before afterwards."""
    settings = torch.backends.cuda.matmul
    before = settings.fp32_precision
    settings.fp32_precision = asked
    try:
        yield
    finally:
        settings.fp32_precision = before
