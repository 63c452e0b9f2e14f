"""Is an implementation's answer right, and did it keep to the rules? Asked before it is timed and after."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numba
import torch

from kernels import check, gradients
from kernels.cells import Weights
from kernels.inputs import INPUT_SETS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from kernels.cells import Inputs
    from kernels.contract import Case
    from kernels.implementations import Implementation
    from kernels.inputs import Arena

CALLS_IN_A_ROW = 3
"""Each step judged is called so often, its answer spoiled in between: one that works now and then is found out."""


class Wrong(Exception):
    """An answer outside its tolerance, or a rule broken; the message says which, by how much, and when."""


class Judge:
    """Compares a sample of a point's bound steps with the reference, and watches inputs, weights and threads."""

    def __init__(
        self,
        case: Case,
        implementation: Implementation,
        sets: Sequence[Sequence[Tensor]],
        inputs: Sequence[Inputs],
        arena: Arena,
        used_bytes: int,
    ) -> None:
        """Look at the weights before the implementation does: `used_bytes` of the arena are its."""
        self._case, self._implementation = case, implementation
        self._sets, self._inputs = sets, inputs
        self._arena, self._used_bytes = arena, used_bytes
        self._weights = arena.digest(used_bytes)
        self._known = -1

    def check(
        self, steps: Sequence[tuple[int, int, Callable[[], Sequence[Tensor]]]], when: str
    ) -> float:
        """The largest error over four of the bound steps, first and last among them. Raises Wrong."""
        last = len(steps) - 1
        chosen = sorted({round(last * part / (INPUT_SETS - 1)) for part in range(INPUT_SETS)})
        worst = 0.0
        for w, i, call in sorted((steps[j] for j in chosen), key=lambda step: step[0]):
            given = tuple(tensor.clone() for tensor in self._inputs[i])
            expected = check.expected(
                self._case, self._inputs[i], self._exact(w), partial(self._in_layout, w)
            )
            for _ in range(CALLS_IN_A_ROW):
                answer = call()
                worst = max(worst, check.error(self._case, answer, *expected))
                check.poison(answer)
            if any(not torch.equal(a, b) for a, b in zip(given, self._inputs[i], strict=True)):
                msg = f"it changed its input ({when})"
                raise Wrong(msg)
        self.rules(when)
        if not worst <= check.tolerance(self._case):
            msg = f"wrong answer {when}: error {worst:.3g}, tolerance {check.tolerance(self._case):.3g}"
            raise Wrong(msg)
        return worst

    def rules(self, when: str) -> None:
        """The weights are as they were, and no more threads than the case's are in use. Raises Wrong."""
        if self._arena.digest(self._used_bytes) != self._weights:
            msg = f"it changed its weights ({when})"
            raise Wrong(msg)
        used = max(torch.get_num_threads(), numba.get_num_threads())
        if self._case.device == "cpu" and used > self._case.threads:
            msg = f"it set {used} threads where the case has {self._case.threads} ({when})"
            raise Wrong(msg)

    def _exact(self, w: int) -> Weights:
        """Set w in float64; the last one asked for is kept."""
        if w != self._known:
            weights = self._implementation.canonical(self._case, self._sets[w])
            self._kept = Weights(*(tensor.to("cpu", torch.float64) for tensor in weights))
            self._known = w
        return self._kept

    def _in_layout(self, w: int, found: Weights) -> Sequence[Tensor]:
        """Gradients of the weights as those of set w in the implementation's layout."""
        canonical = partial(self._implementation.canonical, self._case)
        return gradients.in_layout(canonical, self._sets[w], found)
