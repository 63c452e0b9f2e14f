"""Call floors of a GPU: the launch of a kernel that does next to nothing, and the replay of a graph that holds one.

No bytes, no FLOPs. By launches it is what a step costs a CPU that waits for nothing; by replays, what it costs once
recorded. Ran on an H200.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from bench.roofs import CALLS
from kernels.gpu import graphs

SWEPT, TURN = CALLS, 0
KIND, UNIT = "call", "s"


def launches(_threads: int, device: str = "cuda") -> Callable[[int], None]:
    """A function of the number of launches to enqueue one after another."""
    return _repeated(_launch(device))


def replays(_threads: int, device: str = "cuda") -> Callable[[int], None]:
    """A function of the number of replays to enqueue one after another."""
    replay, _ = graphs.captured(_launch(device))
    return _repeated(replay)


VARIANTS = {"empty launch": launches, "empty graph replay": replays}


def _launch(device: str) -> Callable[[], tuple[Tensor, ...]]:
    one = torch.zeros(1, device=device)
    return lambda: (one.add_(1.0),)


def _repeated(call: Callable[[], object]) -> Callable[[int], None]:
    def run(count: int) -> None:
        for _ in range(count):
            call()

    return run
