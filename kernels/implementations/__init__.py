"""One file = one implementation; the file's name is its name; listing the folder is the registry."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from kernels.contract import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from kernels.cells import Inputs, Weights
    from kernels.contract import Case
    from kernels.inputs import Layout


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


def names() -> list[str]:
    """Every implementation's name, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def load(name: str) -> Implementation:
    """The implementation of that name. Raises Unavailable for an unknown name or one that cannot be imported."""
    if name not in names():
        msg = f"implementation {name!r} is unknown: use one of {', '.join(names())}"
        raise Unavailable(msg)
    try:
        return cast("Implementation", import_module(f"kernels.implementations.{name}"))
    except Exception as error:  # whatever a library does on import is why it cannot be had
        reason = str(error).strip().split("\n", 1)[0]
        msg = f"implementation {name} cannot be loaded: {reason or type(error).__name__}"
        raise Unavailable(msg) from error
