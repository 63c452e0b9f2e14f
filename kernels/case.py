"""What is measured: a case, and the words of which it is made.

Standard library only, so that the report can read cases without loading torch.
"""

from dataclasses import dataclass

CELLS = ("rnn", "lstm", "gru")
PARTS = ("cell", "linear", "pointwise")
PHASES = ("step", "train")
RESIDENCIES = ("resident", "streamed")
DEVICES = ("cpu", "cuda")
ALL = "all"
"""Every device."""
ELEMENT_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "float8": 1}
DTYPES = ("float32", "bfloat16", "float16", "int8", "float8")
"""Of weights. float8 has 4 bits of exponent and 3 of mantissa, and no infinity (torch.float8_e4m3fn)."""
LARGEST_INT8 = 127
QUANTISED = {"int8": LARGEST_INT8, "float8": 1}
"""Dtypes of weights with a float32 scale for each row of W and of U, and float32 biases. A weight q stands for q times
its row's scale, divided by this number."""
ACTIVATIONS = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "int8": "float32",
    "float8": "bfloat16",
}
"""The activations that a weights' dtype has where a case does not say."""
ARITHMETIC = {
    ("float32", "float32"): ("float32", "tf32x3"),
    ("bfloat16", "bfloat16"): ("bfloat16", "float32"),
    ("bfloat16", "float32"): ("float32", "tf32x3", "bfloat16x3"),
    ("float16", "float16"): ("float16", "float32"),
    ("float8", "bfloat16"): ("bfloat16", "float32"),
    ("int8", "float32"): ("int8", "float32", "tf32x3", "bfloat16x2"),
}
"""Dtypes in which products of (weights, activations) can be computed without rounding either: any of their roofs may be
a case's. int8's is that of weights with activations in enough limbs of 8 bits for float32's tolerance. float8 is exact
in bfloat16, and products of float8 are none of it: they would round the activations. The kinds with an x are a GPU's:
so many products of rounded terms that count as one (`bench/roofs/gpu_matmul.py`)."""

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
"""Linear layers a cell runs at each time step: the G of every formula."""

GATE_SUMS = {"rnn": 1, "lstm": 4, "gru": 4}
"""Sums that the linear part hands to the pointwise part: W x + U h per gate; GRU's candidate keeps its two apart."""

LARGEST_SIZE = 1 << 20
"""Largest hidden, input or batch size accepted: beyond it a size is taken for a slip of the hand."""

WORDS = (
    ("cell", CELLS),
    ("part", PARTS),
    ("phase", PHASES),
    ("dtype", DTYPES),
    ("activations", tuple(dict.fromkeys(ACTIVATIONS.values()))),
    ("accumulate", ("float32",)),
    ("residency", RESIDENCIES),
    ("device", DEVICES),
)
SIZES = (("hidden", 1), ("input", 1), ("batch", 1), ("threads", 0), ("steps", 1))
"""What a field of a case may hold: one of these words, or a whole number from this one on."""


class Unavailable(Exception):
    """An implementation, probe or device cannot do this here; the message is the reason a report prints."""


class InvalidCase(ValueError):
    """A case that means nothing; the message names field, value and mend in one line."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One recurrent step to be computed, or a sequence of them. Sizes count units; `dtype` is the weights'.

    cell        rnn, lstm or gru
    hidden      H, units of the state
    input       I, units of the input
    batch       B, sequences that share one step
    part        cell (the whole step), linear (its products with the weights), pointwise (the rest)
    phase       step (inference), train (the whole step forward, then backward: new state and every gradient)
    dtype       of the weights
    activations of x, h, c and the outputs
    accumulate  of the sums of products
    residency   resident (one set of weights, as hot as the caches allow) or streamed (rotating sets,
                so that every step fetches its weights from memory)
    device      cpu or cuda
    threads     threads the step may use; 0 stands for a GPU's own
    steps       T, time steps per call; beyond 1 a sequence: whole steps, resident, each fed the state of the last
    """

    cell: str
    hidden: int
    input: int
    batch: int
    part: str = "cell"
    phase: str = "step"
    dtype: str = "float32"
    activations: str = "float32"
    accumulate: str = "float32"
    residency: str = "resident"
    device: str = "cpu"
    threads: int = 1
    steps: int = 1

    def __post_init__(self) -> None:
        """Refuse values that no implementation could mean. Raises InvalidCase."""
        for field, known in WORDS:
            value = getattr(self, field)
            if value not in known:
                raise InvalidCase(f"{field} {value!r} is unknown: use one of {', '.join(known)}")
        for field, least in SIZES:
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool):
                raise InvalidCase(f"{field} {value!r} is not a whole number")
            if not least <= value <= LARGEST_SIZE:
                raise InvalidCase(f"{field} {value} is out of range: use {least} to {LARGEST_SIZE}")
        if self.phase == "train" and self.part != "cell":
            raise InvalidCase(f"part {self.part!r} is not trained alone: use cell")
        if self.phase == "train" and self.dtype != self.activations:
            raise InvalidCase(
                f"dtype {self.dtype!r} is not trained with {self.activations} activations: use one float dtype"
            )
        if self.steps > 1:
            for field, only in (("part", "cell"), ("phase", "step"), ("residency", "resident")):
                value = getattr(self, field)
                if value != only:
                    raise InvalidCase(
                        f"{field} {value!r} has no sequence: use {only!r}, or steps 1 instead of {self.steps}"
                    )

    @property
    def id(self) -> str:
        """A short name, unique among cases of one device: `lstm-cell-h1024-b1-float32-resident-cpu-t2`.

        Phase train has that word behind the part, `lstm-cell-train-h1024-...`, and sequences their steps behind the
        batch, `lstm-cell-h1024-b1-s25-...`.
        """
        sizes = f"h{self.hidden}" if self.input == self.hidden else f"i{self.input}-h{self.hidden}"
        kind = self.dtype if self.activations == self.dtype else f"{self.dtype}x{self.activations}"
        part = self.part if self.phase == "step" else f"{self.part}-{self.phase}"
        batch = f"b{self.batch}" if self.steps == 1 else f"b{self.batch}-s{self.steps}"
        words = [self.cell, part, sizes, batch, kind, self.residency, self.device]
        if self.device == "cpu":
            words.append(f"t{self.threads}")
        return "-".join(words)
