"""Arithmetic roofs of a GPU: large matrix products by PyTorch's library, per kind of product.

FLOPs: 2*M*N*K. Bytes: matrices that are reused; no memory is in the way. float32 is measured with and without tf32,
which rounds its factors to 10 bits. Ran on an H200.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from bench.roofs import PRODUCTS
from bench.roofs._product import Shape, factors

SWEPT, TURN = PRODUCTS, 0
KIND, UNIT = "matmul", "flop/s"
FLOAT8_CAPABILITY = (8, 9)

SHAPES = (Shape(4096, 4096, 4096), Shape(8192, 8192, 8192), Shape(8192, 4096, 8192))

DTYPES = {
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


def variants(dtype: str) -> tuple[Shape, ...]:
    """What can be multiplied in this dtype here."""
    lacks = dtype == "float8" and torch.cuda.get_device_capability() < FLOAT8_CAPABILITY
    return () if lacks else SHAPES


def flops(shape: Shape, _dtype: str, _threads: int) -> int:
    """FLOPs of one product, of however many terms it is made."""
    return shape.flops


def prepare(shape: Shape, dtype: str, device: str = "cuda") -> Callable[[int], Tensor]:
    """A function of the number of products, which returns the last."""
    operands, precision, terms = DTYPES[dtype]
    left, right = factors(shape, operands, device)
    if dtype == "float8":
        one = torch.ones((), device=device)

        def product() -> Tensor:
            # sums as the tensor cores keep them: adding them up in float32 on the way costs half the rate
            return torch._scaled_mm(
                left, right, one, one, out_dtype=torch.bfloat16, use_fast_accum=True
            )

    else:
        out = torch.empty(shape.M, shape.N, dtype=operands, device=device)

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
