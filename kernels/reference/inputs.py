"""Seeded inputs, and the arena: one block of random weights per run that every implementation reads as views.

Page size decides bandwidth, and two allocations differ in it; so all weights lie in one arena on large pages where the
system gives them, first touched by the threads that will read it, and the read probe reads the same bytes.
"""

import mmap
from collections.abc import Hashable
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.case import ELEMENT_BYTES, GATE_SUMS, Case, Unavailable
from kernels.reference.cells import Inputs

ALIGNMENT = 64
"""Bytes: every weight tensor starts on a cache line."""

HUGE_PAGE = 2 << 20

CHUNK_WORDS = 8 << 20
"""Words of 8 bytes that one seed fills: an arena that grew holds the same bits as one made so large."""

INPUT_SETS = 4
"""Sets of inputs in rotation, so that no step can answer from memory."""

Layout = tuple[tuple[int, ...], ...]
"""Shapes of the weight tensors an implementation wants, in the order they lie in memory; `Floats` among them."""


class Floats(tuple[int, ...]):
    """The shape of a tensor that is float32 whatever the weights' dtype: scales and biases of quantised weights."""

    __slots__ = ()


TORCH_DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.int8,
    "float8": torch.float8_e4m3fn,
}


# Sign, the lowest exponent bit and the mantissa of a bfloat16 are random, the exponent otherwise that of 2**-7. So
# every 16-bit half is a number of magnitude 2**-7 to 2**-5, every 32-bit word one too, and one fill serves most dtypes:
# no zeros, no denormals, and gate sums of order one for hidden sizes from 256 to 4096. As int8, every other element
# takes all 256 values and the ones between are 60 and -68; with scales of that magnitude they make weights like those.
#
# As float16 these halves would be 1 to 1.25. Its own are of the same magnitude as the others', all bits random but the
# upper four of the exponent. As float8 every other byte is 1.5 or -1.5; of the ones between one bit is left 0, for two
# of 256 are no numbers and the largest would be all of a sum: they are 0 to 1.875, half of them below 2**-3, of either
# sign. Scales and biases beside them are float32 words of the usual magnitude.
class _Bits(NamedTuple):
    """Of each 16-bit half of the arena: those that are random, and what the others are."""

    random: int
    fixed: int


_COMMON = _Bits(0x80FF, 0x3C00)
_OF_DTYPE = {"float16": _Bits(0x87FF, 0x2000), "float8": _Bits(0x80BF, 0x3C00)}
"""Of dtypes that the common ones are not fit for."""


def _words(half: int) -> int:
    """A word of 64 bits that is so in each of its halves of 16 bits."""
    return int.from_bytes(half.to_bytes(2, "big") * 4, "big", signed=True)


class Arena:
    """Random weights in one block of memory, on `device`. The same seed gives the same bits, however it grew.

    It holds `size_bytes`, and `grow` makes it hold more, up to `most_bytes`: addresses are reserved for these, and
    memory is taken where it is filled. So views of it stay what they are.
    """

    def __init__(
        self,
        size_bytes: int,
        device: str,
        seed: int,
        *,
        large_pages: bool = True,
        most_bytes: int = 0,
    ) -> None:
        """Allocate and fill. Raises Unavailable where the memory cannot be had.

        Without `large_pages` it lies where torch's allocator puts it, as a library's own copies of weights do.
        """
        words = -(-max(size_bytes, most_bytes) // 8)
        try:
            if device == "cpu" and large_pages:
                self._block = _huge_pages(words * 8)
                words_of_block = torch.frombuffer(self._block, dtype=torch.int64)
                skip = (-words_of_block.data_ptr() % HUGE_PAGE) // 8
                self._reserved = words_of_block[skip : skip + words]
            else:
                self._reserved = torch.empty(words, dtype=torch.int64, device=device)
        except (OSError, MemoryError, ValueError, RuntimeError) as error:
            raise Unavailable(
                f"no memory for an arena of {words * 8} bytes on {device}: {error}"
            ) from error
        self._seed, self._bits = seed, _COMMON
        self._words = self._reserved[:0]
        self.grow(size_bytes)

    def grow(self, size_bytes: int) -> None:
        """Hold so many bytes or more; what it held stays. Raises Unavailable beyond `most_bytes`."""
        words = -(-size_bytes // 8)
        if words > self._reserved.numel():
            raise Unavailable(
                f"the weights need {size_bytes} bytes, and an arena here may hold {self.most_bytes}"
            )
        if words <= self._words.numel():
            return
        # a chunk begun is filled anew, with the same bits
        whole = self._words.numel() // CHUNK_WORDS
        self._words = self._reserved[:words]
        # first touch, by all threads in the order in which they will read
        self._words[whole * CHUNK_WORDS :].zero_()
        self._fill(whole)

    def refill(self) -> None:
        """Every bit as at first, should anything have been written here, or weights asked for that have their own."""
        self._bits = _COMMON
        self._fill(0)

    def _fill(self, first: int) -> None:
        for number, words in enumerate(self._words.split(CHUNK_WORDS)[first:], first):
            generator = torch.Generator(device=words.device).manual_seed(self._seed + number)
            words.random_(-(2**63), None, generator=generator)
            words.bitwise_and_(_words(self._bits.random)).bitwise_or_(_words(self._bits.fixed))

    def digest(self, size_bytes: int) -> int:
        """A sum over the first `size_bytes`, whole words: another one after a change, but for the oddest chance."""
        return int(self._words[: -(-size_bytes // 8)].sum())

    def words(self) -> Tensor:
        """All of it as whole numbers of 32 bits."""
        return self._words.view(torch.int32)

    @property
    def address(self) -> int:
        """Address of the first byte; on a CPU a multiple of the large page."""
        return self._words.data_ptr()

    @property
    def filled_as(self) -> Hashable:
        """What its bits are: the same for all dtypes but those that have bits of their own."""
        return self._bits

    @property
    def size_bytes(self) -> int:
        """Bytes it holds."""
        return self._words.numel() * 8

    @property
    def most_bytes(self) -> int:
        """Bytes it can hold."""
        return self._reserved.numel() * 8

    def sets(self, layout: Layout, dtype: str, count: int) -> list[tuple[Tensor, ...]]:
        """`count` sets of weights of this layout, one behind the other from the arena's start.

        Weights of float16, and of float8, have bits of their own: the whole arena is filled anew with these, and again
        when other weights are asked for, or by `refill`. What was handed out before has then changed. Raises
        Unavailable where they do not fit.
        """
        need = count * set_bytes(layout, dtype)
        if need > self.size_bytes:
            raise Unavailable(
                f"the weights need {need} bytes and the arena holds {self.size_bytes}"
            )
        if (bits := _OF_DTYPE.get(dtype, _COMMON)) != self._bits:
            self._bits = bits
            self._fill(0)
        sets, offset = [], 0
        for _ in range(count):
            tensors = []
            for shape in layout:
                kind = _kind(shape, dtype)
                start = offset // ELEMENT_BYTES[kind]
                elements = self._words.view(TORCH_DTYPES[kind])[start : start + prod(shape)]
                tensors.append(elements.view(tuple(shape)))
                offset += _tensor_bytes(shape, dtype)
            sets.append(tuple(tensors))
        return sets


def set_bytes(layout: Layout, dtype: str) -> int:
    """Bytes of the arena that one set of weights takes, alignment included."""
    return sum(_tensor_bytes(shape, dtype) for shape in layout)


def draw(case: Case, generator: torch.Generator) -> list[Inputs]:
    """INPUT_SETS sets of inputs for this case, uniform in -1 to 1; tensors the case does not read are empty."""
    B, H = case.batch, case.hidden
    reads_xh = case.part != "pointwise"
    x = (B, case.input) if case.steps == 1 else (case.steps, B, case.input)
    shapes = (
        x if reads_xh else (0, 0),
        (B, H) if reads_xh or case.cell == "gru" else (0, 0),
        (B, H) if case.cell == "lstm" and case.part != "linear" else (0, 0),
        (B, GATE_SUMS[case.cell] * H) if case.part == "pointwise" else (0, 0),
        (B, H) if case.phase == "train" else (0, 0),
        (B, H) if case.phase == "train" and case.cell == "lstm" else (0, 0),
    )
    dtype = TORCH_DTYPES[case.activations]
    sets = [
        Inputs(*(torch.empty(shape, dtype=dtype, device=case.device) for shape in shapes))
        for _ in range(INPUT_SETS)
    ]
    redraw(sets, generator)
    return sets


def redraw(sets: list[Inputs], generator: torch.Generator) -> None:
    """New values in the same tensors: who remembers an input by its address answers wrongly from here on."""
    for inputs in sets:
        for tensor in inputs:
            tensor.uniform_(-1, 1, generator=generator)


def _kind(shape: tuple[int, ...], dtype: str) -> str:
    return "float32" if isinstance(shape, Floats) else dtype


def _tensor_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of the arena that one tensor takes: whole cache lines."""
    size = prod(shape) * ELEMENT_BYTES[_kind(shape, dtype)]
    return -(-size // ALIGNMENT) * ALIGNMENT


def on_large_pages(shape: tuple[int, ...]) -> Tensor:
    """Zeros of float32 that begin on a large page where the system grants them: for an answer as large as weights."""
    size = prod(shape) * ELEMENT_BYTES["float32"]
    words = torch.frombuffer(_huge_pages(size), dtype=torch.float32)
    skip = (-words.data_ptr() % HUGE_PAGE) // ELEMENT_BYTES["float32"]
    return words[skip : skip + prod(shape)].view(shape).zero_()


def _huge_pages(size: int) -> mmap.mmap:
    """Anonymous memory with room to start on a large page; asks for large pages where the system knows the question."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, size + HUGE_PAGE)
    # private: Python maps shared memory if not told otherwise, and that gets no large pages
    block = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.madvise(mmap.MADV_HUGEPAGE)
    return block
