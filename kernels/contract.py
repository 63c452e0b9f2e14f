"""What an implementation provides.

Standard library only; torch is named for types alone. kernels/README.md tells how to add an implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from kernels.case import Case

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.reference.cells import Inputs, Weights
    from kernels.reference.inputs import Layout


class Implementation(Protocol):
    """What a file in this folder provides at module level. See kernels/README.md for how to add one."""

    label: str
    """A few words for plots."""

    reads: dict[str, str]
    """Whether W and U are read `per_step` or `per_call`."""

    def version(self) -> str:
        """Name and version of what computes, as a report prints it."""
        ...

    def unavailable(self, case: Case) -> str | None:
        """Why this case cannot be computed here, or None."""
        ...

    def layout(self, case: Case) -> Layout:
        """Shapes of the weight tensors it wants, in the order it reads them."""
        ...

    def canonical(self, case: Case, tensors: Sequence[Tensor]) -> Weights:
        """The same weights in PyTorch's convention, for the check."""
        ...

    def prepare(
        self, case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
    ) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
        """Everything that is not the step. Returns `bind(set, input)`, which returns the timed call for that pair."""
        ...
