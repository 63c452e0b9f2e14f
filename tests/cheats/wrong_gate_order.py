"""Takes the gates as i o g f where PyTorch's are i f g o."""

from __future__ import annotations

import torch

from tests.cheats import honest

caught = "wrong answer before it was timed"


def prepare(case, sets, inputs):
    """Swaps the second gate's rows and the last's."""

    def swapped(tensor):
        i, f, g, o = tensor.chunk(4)
        return torch.cat([i, o, g, f])

    return honest(case, [[swapped(t) for t in one] for one in sets], inputs)
