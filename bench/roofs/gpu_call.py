"""Call floors of a GPU: the launch of a kernel that does next to nothing, and the replay of a graph that holds one.

No bytes, no FLOPs. By launches it is what a step costs a CPU that waits for nothing; by replays, what it costs once
recorded. Not run on a card yet.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from kernels.gpu import graphs

KIND = "call"
UNIT = "s"
VARIANTS = ("empty launch", "empty graph replay")


def prepare(variant: str, device: str) -> Callable[[int], None]:
    """A function of the number of launches, or of replays, to enqueue one after another."""
    one = torch.zeros(1, device=device)

    def launch() -> tuple[Tensor, ...]:
        return (one.add_(1.0),)

    call: Callable[[], object] = launch
    if variant == "empty graph replay":
        call, _ = graphs.captured(launch)

    def run(count: int) -> None:
        for _ in range(count):
            call()

    return run
