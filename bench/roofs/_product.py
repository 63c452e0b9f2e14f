"""A library's matrix product, as the arithmetic roofs of every device measure it. No numba."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Shape(NamedTuple):
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
        """A multiplication and an addition for each of K terms of each of M*N sums."""
        return 2 * self.M * self.K * self.N

    def smaller(self, factor: int) -> Shape:
        """With every size so many times smaller, and FLOPs by its third power."""
        return Shape(self.M // factor, self.K // factor, self.N // factor)


def factors(shape: Shape, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Both, at random: zeros would let the clock rise.

    Each column of the second is one contiguous run, as a step's weights lie, so that no library may call it slow.
    """
    generator = torch.Generator(device=device).manual_seed(0)
    left, right = (
        torch.empty(size, shape.K, device=device).uniform_(-1, 1, generator=generator).to(dtype)
        for size in (shape.M, shape.N)
    )
    return left, right.T
