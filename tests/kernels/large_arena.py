"""An arena for tests of small cells."""

from __future__ import annotations

import torch

from kernels.reference import inputs
from kernels.reference.inputs import Arena


class LargeArena(Arena):
    """Random weights as an arena's, LARGER times so large: gate sums of order one at sizes of a few units.

    float8's bytes of 1.5 become 1.75, and its scales are so much larger.
    """

    LARGER = 16.0
    """Exact in every dtype."""

    def _fill(self, first):
        super()._fill(first)
        of_float16 = self._bits == inputs._OF_DTYPE["float16"]
        self._words.view(torch.float16 if of_float16 else torch.bfloat16).mul_(self.LARGER)
