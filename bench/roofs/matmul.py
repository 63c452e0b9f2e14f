"""Arithmetic roof: large products of square and wide matrices by PyTorch's library, per dtype; the best shape counts.

FLOPs: 2*M*N*K. Bytes: three matrices that the caches reuse; at these sizes no memory is in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from kernels.inputs import TORCH_DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "matmul"
UNIT = "flop/s"


class Variant(NamedTuple):
    """The product of an (M, K) and a (K, N) matrix."""

    M: int
    K: int
    N: int

    @property
    def name(self) -> str:
        """As a profile states it."""
        return f"{self.M}x{self.K}x{self.N}"

    @property
    def flops(self) -> int:
        """Of one product."""
        return 2 * self.M * self.K * self.N


VARIANTS = (
    Variant(768, 768, 768),
    Variant(1024, 1024, 1024),
    Variant(512, 2048, 1024),
    Variant(512, 1024, 2048),
)


def prepare(variant: Variant, dtype: str, device: str) -> Callable[[int], None]:
    """A function of the number of products; operands are random, seeded, in PyTorch's own memory."""
    generator = torch.Generator(device=device).manual_seed(0)
    kind = TORCH_DTYPES[dtype]
    left = (
        torch.empty(variant.M, variant.K, device=device)
        .uniform_(-1, 1, generator=generator)
        .to(kind)
    )
    # As a step's weights lie: each row of the second factor is one output, so that the library may not call it slow.
    right = (
        torch.empty(variant.N, variant.K, device=device)
        .uniform_(-1, 1, generator=generator)
        .to(kind)
        .T
    )
    out = torch.empty(variant.M, variant.N, dtype=kind, device=device)

    def run(count: int) -> None:
        for _ in range(count):
            torch.mm(left, right, out=out)

    return run
