"""How a step can be cut into tiles: what the arithmetic of registers and ports leaves to be tried.

A tile of R lines of weights and C columns of activations (sequences, or their limbs) has R * C sums in registers, and
beside them whichever is fewer, its lines or its columns, and one of the others. A line of 16 floats takes one register
of AVX-512, two of AVX2, four of NEON; an activation, the same in every lane, takes one. For each k a tile takes R * C
multiply-adds and R + C loads: a processor with F multiply-adds and L loads a cycle needs max(R * C / F, (R + C) / L)
cycles. Those that are known have F = L, 1 or 2 (on some with 1 an activation's load counts half). F * 4 sums are to be
in flight, for each waits four cycles for the last one. F and L are not told: shapes are ranked by the sum R * C + (R +
C) / 2, which both processors order alike but for the closest. Which of the first is best also depends on caches and on
what prefetches by itself: that is measured.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from kernels.vector.llvm import LINE_BYTES, registers
from kernels.vector.products import TURNS, WIDTH, limbs

CHUNK_BYTES = 16 << 10
"""Weights over which all parts and passes go before the next ones: half of the smallest first cache that is known."""
LONGER = 4
"""Times the usual chunk's turns, in the other one that is tried."""
STREAMS = (1, 2, 4, 8)
"""Blocks that may be read side by side."""
MOST_LINES = 8
"""Lines of weights that a tile reads side by side."""
IN_FLIGHT = 8
"""Sums that are to be in flight: two multiply-adds a cycle, each of which takes four."""
AHEAD = (0, 2 << 10, 8 << 10)
"""Bytes that a tile which meets its weights once may prefetch ahead."""
WAYS = (4, 2, 1)
"""How many ways to prefetch are tried with the likeliest shape of tiles, with the next one and with the third."""
MOST = 6
"""Cuts that are tried at most: the third shape is left out where the others make as many."""


class Cut(NamedTuple):
    """A way to cut a step.

    streams    blocks of 16 units read side by side
    vectors    gates of a block that a tile multiplies; the others follow in further parts
    sequences  of a tile; where they are not all, others follow in further passes, of as many or of one less
    chunk      turns of k after which the next part or pass begins; 0: all
    ahead      bytes prefetched ahead, of a chunk as many as it is long; 0: none
    """

    streams: int
    vectors: int
    sequences: int
    chunk: int
    ahead: int

    @property
    def name(self) -> str:
        """As a profile states it."""
        words = [f"{self.streams}x{self.vectors}x{self.sequences}"]
        words += [f"in {self.chunk} turns"] if self.chunk else []
        words += [f"{self.ahead} ahead"] if self.ahead else []
        return ", ".join(words)


def passes(batch: int, most: int) -> list[int]:
    """Sequences of each pass over a batch: as few passes of up to `most` as there can be, the longer ones first."""
    return shared(batch, -(-batch // most))


def shared(number: int, count: int) -> list[int]:
    """So many things in so many shares of one size, or of two: first those that have one more."""
    each, longer = divmod(number, count)
    return [each + 1] * longer + [each] * (count - longer)


def sized(sizes: list[int]) -> tuple[int, int, int]:
    """Sequences of the first passes, how many these are, and how many have one less."""
    full = sizes.count(sizes[0])
    return sizes[0], full, len(sizes) - full


def fits(kind: str, lines: int, columns: int) -> bool:
    """Whether a tile's sums fit into registers, beside what waits there to be multiplied."""
    count, pieces = registers()
    width = WIDTH[kind]
    line, activation = width * pieces, width
    beside = columns * activation + line if columns <= lines else lines * line + activation
    unpacking = 0 if kind == "float32" else 3
    return lines * columns * pieces + beside + unpacking <= count


def most(kind: str, lines: int, batch: int) -> int:
    """Sequences of a batch whose sums fit at once into registers; of one line one in any case, else 0 where none do."""
    each = limbs(kind)  # more columns never fit where fewer do not
    held = takewhile(lambda n: fits(kind, lines, n * each), range(1, batch + 1))
    return max(held, default=int(lines == 1))


def chunk(lines: int) -> int:
    """Turns of so many lines that make a chunk, in whole blocks of activations."""
    return max(TURNS, CHUNK_BYTES // (lines * LINE_BYTES) // TURNS * TURNS)


def cuts(gates: int, kind: str, batch: int, blocks: int, threads: int) -> tuple[Cut, ...]:
    """The cuts to try of a step of `blocks` blocks, at most six, the likeliest first."""
    ranked = sorted(_shapes(gates, kind, batch, blocks, threads))
    found = [_variants(cut, gates)[:ways] for (_, cut), ways in zip(ranked, WAYS, strict=False)]
    return tuple(cut for variants in found for cut in variants)[:MOST]


def _shapes(
    gates: int, kind: str, batch: int, blocks: int, threads: int
) -> Iterator[tuple[tuple[bool, float], Cut]]:
    """Shapes of tiles whose sums fit, each with what it is ranked by: less is better."""
    for vectors in (n for n in range(1, gates + 1) if gates % n == 0):
        for streams in STREAMS:
            lines = streams * vectors
            apart = streams == 1 or (
                vectors == gates and lines <= MOST_LINES and blocks >= 2 * threads * streams
            )
            at_once = most(kind, lines, batch)
            if not apart or not at_once:
                continue
            sizes = passes(batch, at_once)
            slots = sum(
                max(lines * c, IN_FLIGHT) + (lines + c) / 2
                for c in (n * limbs(kind) for n in sizes)
            )
            again = len(sizes) * gates > vectors
            yield (
                (again, slots * gates / vectors / streams),
                Cut(streams, vectors, sizes[0], chunk(streams * gates) if again else 0, 0),
            )


def _variants(cut: Cut, gates: int) -> list[Cut]:
    """With prefetching of the next chunk, and without, where weights are met again; else so many bytes ahead, or none.

    The longer chunk is for second levels that a tile reads as fast as the first. Weights of several gates that are met
    once may go in chunks too, only so that the next chunk is prefetched in sections.
    """

    def chunked(turns: int) -> Cut:
        return cut._replace(chunk=turns, ahead=turns * gates * LINE_BYTES)

    if cut.chunk:
        return [chunked(cut.chunk), chunked(LONGER * cut.chunk), cut]
    in_sections = [chunked(chunk(cut.streams * gates))] if gates > 1 else []
    return [*(cut._replace(ahead=ahead) for ahead in AHEAD), *in_sections]
