"""What an implementation provides, how it declares the cases that it computes, and the check that a file keeps to both.

Torch is named for types alone and not loaded. kernels/README.md tells how to add an implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from kernels.case import ARITHMETIC, DEVICES, ELEMENT_BYTES, PARTS, RESIDENCIES, Case, Unavailable

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.reference.cells import Inputs, Weights
    from kernels.reference.inputs import Layout

Tensors: TypeAlias = "Sequence[Tensor]"
"""An answer, or a set of weights: the tensors of an implementation's layout."""
Sets: TypeAlias = Sequence[Tensors]
"""Sets of weights."""
InputSets: TypeAlias = "Sequence[Inputs]"
"""Sets of what a step reads beside its weights."""
Step: TypeAlias = Callable[[], Tensors]
"""The timed call, without arguments. It returns its answer."""
Bind: TypeAlias = Callable[[int, int], Step]
"""From the numbers of a set of weights and of a set of inputs to the call for that pair."""
Prepare: TypeAlias = Callable[..., Bind]
"""Everything that is not the step, for a case, its sets, its inputs, and one of its `choices`. Returns `bind`."""

READS = ("per_step", "own_cache", "per_call")
Reads: TypeAlias = Mapping[str, str]
"""One of READS for W and for U."""
NO_FUNCTIONS = ("label", "reads", "rounds_to")
"""Of what an implementation provides."""
ONE_DTYPE = (("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16"))
"""Pairs of weights and activations of implementations whose products take one float dtype."""


class Choice(Protocol):
    """One of several ways to compute a case."""

    @property
    def name(self) -> str:
        """As a profile states it, unlike the case's others."""


@dataclass(frozen=True)
class Implementation:
    """What a file in `kernels/implementations` provides at module level. See kernels/README.md for how to add one."""

    label: str
    """A few words for plots."""
    reads: Reads | Callable[[Case, int | None], Reads]
    """How often W and U are read, one of READS each; or that of a case, by the bytes of a core's own cache."""
    version: Callable[[], str]
    """Name and version of what computes, as a report prints it."""
    unavailable: Callable[[Case], str | None]
    """Why a case cannot be computed here, or None. That of the file's `SUPPORTS`, where it has no own."""
    layout: Callable[[Case], Layout]
    """Shapes of the weight tensors it wants, in the order it reads them."""
    canonical: Callable[[Case, Tensors], Weights]
    """The same weights in PyTorch's convention, for the check."""
    prepare: Prepare
    """Everything that is not the step. Returns `bind(set, input)`, which returns the timed call for that pair.

    It takes a case, sets of weights, sets of inputs; and, where there are `choices`, one of them or none."""
    packs: Callable[[Case], bool] = lambda _case: False
    """Whether it computes a case from a copy of its weights that lies elsewhere than the tensors it is given."""
    choices: Callable[[Case], Sequence[Choice]] = lambda _case: ()
    """Ways to compute a case of which the fastest is not known before they are timed, the likeliest first."""
    compiled_as: Callable[[Case], Hashable] = lambda _case: None
    """What it compiles for a case, equal for cases that share it; None where it does not tell."""
    rounds_to: str | None = None
    """The dtype that it rounds activations to before its products, or None where it takes them as they are."""


@dataclass(frozen=True)
class Support:
    """The cases that an implementation computes. Its `unavailable` is the one of the contract.

    A case is computed if each of its words is among those named here. `weights_x_activations` are pairs of dtypes;
    `sequences` is true where a call may be several steps. `instead` tells for a field (or `steps`) what computes the
    other cases. `also` is asked last, for what words cannot tell: sizes, this machine, a library's version.
    """

    device: tuple[str, ...] = DEVICES
    phase: tuple[str, ...] = ("step",)
    part: tuple[str, ...] = PARTS
    weights_x_activations: tuple[tuple[str, str], ...] = tuple(ARITHMETIC)
    sequences: bool = False
    residency: tuple[str, ...] = RESIDENCIES
    instead: Mapping[str, str] = field(default_factory=dict)
    also: Callable[[Case], str | None] | None = None

    def unavailable(self, case: Case) -> str | None:
        """Why this case cannot be computed here, in one line, or None."""
        pairs = [" x ".join(pair) for pair in self.weights_x_activations]
        for name, value, known in (
            ("steps", str(case.steps), (str(case.steps),) if self.sequences else ("1",)),
            ("device", case.device, self.device),
            ("phase", case.phase, self.phase),
            ("part", case.part, self.part),
            ("residency", case.residency, self.residency),
            ("weights x activations", f"{case.dtype} x {case.activations}", pairs),
        ):
            if value not in known:
                reason = f"it computes {name} {' or '.join(known)}, not {value}"
                return f"{reason}: {self.instead[name]}" if name in self.instead else reason
        return self.also(case) if self.also else None


def reads_of(implementation: Implementation, case: Case, own_bytes: int | None) -> Reads:
    """How often it reads W and U where a core's own cache holds so many bytes; None where that is unknown."""
    reads = implementation.reads
    return reads(case, own_bytes) if callable(reads) else reads


def always(_case: Case) -> bool:
    """`packs` of a library that computes every case from a copy of its weights."""
    return True


def limit_sets(sets: Sets, most: int, what: str) -> None:
    """Raise Unavailable where streaming takes more sets of weights than an implementation compiles or records."""
    if len(sets) > most:
        raise Unavailable(
            f"streaming takes {len(sets)} {what}, more than {most}: use a larger hidden size"
        )


def checked(module: ModuleType, where: str) -> Implementation:
    """What the module provides. Raises Unavailable with everything it lacks of what `Implementation` asks for."""
    given: dict[str, Any] = {
        one.name: getattr(module, one.name, one.default) for one in fields(Implementation)
    }
    supports = getattr(module, "SUPPORTS", None)
    if supports is not None and not isinstance(supports, Support):
        raise Unavailable(f"{where}: SUPPORTS must be a Support: see kernels/README.md")
    if given["unavailable"] is MISSING and supports:
        given["unavailable"] = supports.unavailable
    if lacking := [name for name, value in given.items() if value is MISSING]:
        raise Unavailable(f"{where} lacks {', '.join(lacking)}: see kernels/README.md")
    wrong = [name for name in given if name not in NO_FUNCTIONS and not callable(given[name])]
    if wrong:
        raise Unavailable(f"{where}: {', '.join(wrong)} must be a function: see kernels/README.md")
    label, reads, rounds_to = given["label"], given["reads"], given["rounds_to"]
    if not isinstance(label, str) or not label:
        raise Unavailable(f"{where}: label {label!r} is not a few words: see kernels/README.md")
    told = isinstance(reads, dict) and reads.keys() == {"W", "U"}
    if not callable(reads) and not (told and all(value in READS for value in reads.values())):
        raise Unavailable(f"{where}: reads {reads!r} must give W and U one of {', '.join(READS)}")
    if rounds_to not in (None, *ELEMENT_BYTES):
        raise Unavailable(f"{where}: rounds_to {rounds_to!r} is none of {', '.join(ELEMENT_BYTES)}")
    return Implementation(**given)
