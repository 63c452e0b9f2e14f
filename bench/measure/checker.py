"""Is an implementation's answer right, and did it keep to the rules? Asked before it is timed and after."""

import math
import random
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from bench.device import threads
from bench.measure.rotation import Step
from kernels.case import QUANTISED, Case
from kernels.contract import Implementation
from kernels.reference import check, gradients
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import INPUT_SETS, TORCH_DTYPES, Arena

CALLS_IN_A_ROW = 3
"""Each step checked is called so often, its answer spoiled in between: one that works now and then is found out."""

CHANGED_AT_ONCE = 64
"""Weights of every weight tensor that are changed to see whether the answer follows.

Of a layout that is padded so many more elements are changed that so many weights should be among them.
"""

LARGE = {torch.int8: 127, torch.float8_e4m3fn: 64}
"""What a changed weight of these is, or its negative; 1 of others."""

FOLLOWED = 2
"""Times the tolerance: how near an answer comes that follows, and how far it must have moved to be asked.

The tolerance is for the arena's weights. Those that are changed are fifty times as large, and so may be the sums that
they meet in, and their rounding: at I = 65,536 twice as large where a single unit has them all.
"""

CHANCE = 4
"""Standard deviations by which the weights among the changed elements of a padded layout may be fewer than expected."""


class Wrong(Exception):
    """An answer outside its tolerance, or a rule broken; the message says which, by how much, and when."""


class Checker:
    """Compares a sample of a point's bound steps with the reference, and watches inputs, weights and threads."""

    def __init__(
        self,
        case: Case,
        implementation: Implementation,
        sets: Sequence[Sequence[Tensor]],
        inputs: Sequence[Inputs],
        arena: Arena,
        used_bytes: int,
        seed: int,
    ) -> None:
        """Look at the weights before the implementation does: `used_bytes` of the arena are its.

        `seed` says which steps are checked and which weights are changed.
        """
        self._case, self._implementation = case, implementation
        self._sets, self._inputs = sets, inputs
        self._arena, self._used_bytes = arena, used_bytes
        self._weights = arena.digest(used_bytes)
        self._known = -1
        self._kept: Weights | None = None
        self._random = random.Random(f"{seed} {case.id}")
        self.tolerance = check.tolerance(case, implementation.rounds_to)

    def check(self, steps: Sequence[Step], when: str) -> float:
        """The largest error over four of the bound steps: first, last and others by chance. Raises Wrong."""
        worst = 0.0
        for step in self._chosen(steps):
            w, i, call = step
            given = tuple(tensor.clone() for tensor in self._inputs[i])
            expected = self._reference(w, i)
            for _ in range(CALLS_IN_A_ROW):
                answer = call()
                worst = max(worst, check.error(self._case, answer, *expected))
                check.poison(answer)
            if any(not torch.equal(a, b) for a, b in zip(given, self._inputs[i], strict=True)):
                raise Wrong(f"it changed its input ({when})")
        self.rules(when)
        if not worst <= self.tolerance:
            raise Wrong(f"wrong answer {when}: error {worst:.3g}, tolerance {self.tolerance:.3g}")
        self.follow(step, when)
        self._forget()
        return worst

    def follow(self, step: Step, when: str) -> None:
        """Whether the answer to the same input follows the weights, when some of them change. Raises Wrong.

        Every answer may be right, and yet no weight be read: an answer remembered by the input's value, a product kept
        from the call before, weights that are no weights because `canonical` makes zeros of them.
        """
        w, i, call = step
        exact, was = self._exact(w), self._reference(w, i)
        seen = Weights(*(tensor.clone() for tensor in self._canonical(w)))
        call()  # whatever it remembers, it remembers now
        share = self._share(w, seen)
        kept = self._change(w, share)
        try:
            visible = 0
            for tensor, now, then in zip(exact, self._canonical(w), seen, strict=True):
                places = (now != then).nonzero(as_tuple=True)
                tensor[places] = now[places].to(torch.float64)
                visible += len(places[0])
            expected = self._reference(w, i)
            error = check.error(self._case, call(), *expected)
        finally:
            for elements, changed_at, values in kept:
                elements[changed_at] = values
            self._known = -1
        changed = sum(len(places) for _, places, _ in kept)
        drawn = changed / max(1, sum(len(elements) for elements, _, _ in kept))
        spread = math.sqrt(changed * share * (1 - share) * (1 - drawn))  # hypergeometric
        if visible < round(share * changed - CHANCE * spread):
            msg = f"{visible} of {changed} changed weights are in its weights in PyTorch's convention: it reads fewer"
            raise Wrong(f"{msg} ({when})")
        near = FOLLOWED * self.tolerance
        plain = check.error(self._case, was[0], *expected) > near
        if plain and not error <= near and not self._implementation.packs(self._case):
            raise Wrong(
                f"its answer does not follow its weights when they change: error {error:.3g} ({when})"
            )

    def rules(self, when: str) -> None:
        """The weights are as they were, and no more threads than the case's are in use. Raises Wrong."""
        if self._arena.digest(self._used_bytes) != self._weights:
            raise Wrong(f"it changed its weights ({when})")
        used = threads.used()
        if self._case.device == "cpu" and used > self._case.threads:
            raise Wrong(f"it set {used} threads where the case has {self._case.threads} ({when})")

    def _chosen(self, steps: Sequence[Step]) -> list[Step]:
        """First and last step and two by chance, in any order, each with another set of inputs."""
        chosen = {steps[0][1]: steps[0], steps[-1][1]: steps[-1]}
        for step in self._random.sample(steps, len(steps)):
            if len(chosen) < INPUT_SETS:
                chosen.setdefault(step[1], step)
        return self._random.sample(list(chosen.values()), len(chosen))

    def _change(self, w: int, share: float) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Change some elements of set w's tensors, by chance: (all elements, where, what was there) of each tensor.

        Quantised weights' scales and biases stay. `share` of the elements are weights.
        """
        kept = []
        for tensor in self._changing(w):
            elements = tensor.view(-1)
            count = min(math.ceil(CHANGED_AT_ONCE / (share or 1)), len(elements))
            places = torch.tensor(
                self._random.sample(range(len(elements)), count), dtype=torch.long
            )
            places = places.to(elements.device)
            large = LARGE.get(tensor.dtype, 1)
            if tensor.itemsize == 1:
                # float8 is neither compared nor, everywhere, indexed; its sign is an int8's
                elements = elements.view(torch.int8)
            values = elements[places]
            changed = torch.where(values < 0, large, -large).to(tensor.dtype)
            elements[places] = changed.view(elements.dtype)
            kept.append((elements, places, values))
        return kept

    def _changing(self, w: int) -> list[Tensor]:
        """The tensors of set w of which some elements are changed: not quantised weights' scales and biases."""
        kind = TORCH_DTYPES[self._case.dtype]
        return [t for t in self._sets[w] if t.dtype == kind]

    def _share(self, w: int, canonical: Weights) -> float:
        """How much of the tensors that change are weights: 1, or less where a layout is padded."""
        padded = sum(tensor.numel() for tensor in self._changing(w))
        weights = canonical[:2] if self._case.dtype in QUANTISED else canonical
        return min(1.0, sum(tensor.numel() for tensor in weights) / max(1, padded))

    def _canonical(self, w: int) -> Weights:
        return self._implementation.canonical(self._case, self._sets[w])

    def _reference(self, w: int, i: int) -> tuple[tuple[Tensor, ...], tuple[float, ...]]:
        layout = partial(self._in_layout, w)
        return check.expected(self._case, self._inputs[i], self._exact(w), layout)

    def _exact(self, w: int) -> Weights:
        """Set w in float64; the last one asked for is kept."""
        if w != self._known:
            copies = (tensor.to(torch.float64, copy=True) for tensor in self._canonical(w))
            self._known, self._kept = w, Weights(*copies)
        assert self._kept is not None
        return self._kept

    def _forget(self) -> None:
        """Give back the weights in float64: a point may stay built for long."""
        self._known, self._kept = -1, None

    def _in_layout(self, w: int, found: Weights) -> Sequence[Tensor]:
        """Gradients of the weights as those of set w in the implementation's layout."""
        canonical = partial(self._implementation.canonical, self._case)
        return gradients.in_layout(canonical, self._sets[w], found)
