"""Time limits around the survey's probes: what would take too long a call is left out, and told.

PyTorch's bfloat16 product takes seconds a call on some processors without AVX-512, and where a machine is emulated all
is fifty times slower. So nothing is called before something smaller of its kind has told about how long it takes: a
product by one 64 times smaller, a pass over memory by the size before it, for sizes ascend.
"""

from collections.abc import Callable, Hashable

from bench.profile.records import RunWarning
from bench.timing.clock import Clock

MOST_CALL_SECONDS = 1.0
"""A call expected to take longer is not made."""

TRIED = 4
"""A product is tried first with sizes so many times smaller, that is 64 times fewer FLOPs."""

LEFT_OUT = "roof left out"


class Limit:
    """What calls of each kind of probe took so far, by the byte or FLOP, and which were not made for that."""

    def __init__(self) -> None:
        """Nothing is known yet, and what nothing is known of is allowed."""
        self._each: dict[Hashable, dict[float, float]] = {}
        self._left: dict[str, dict[str, float]] = {}

    def record(self, kind: Hashable, amount: float, seconds: float) -> None:
        """A call of `amount` bytes or FLOPs took so long; of calls as large the quickest counts.

        One alone may have been held up by others for longer than it takes.
        """
        known = self._each.setdefault(kind, {})
        known[amount] = min(seconds / amount, known.get(amount, seconds / amount))

    def tried(
        self, kind: Hashable, amount: float, run: Callable[[int], object], clock: Clock
    ) -> None:
        """Call something small of a kind, `amount` FLOPs; twice, for a first call prepares, and the shorter counts."""
        self.record(kind, amount, min(clock.seconds_each(run, 1) for _ in range(2)))

    def allows(self, kind: Hashable, amount: float, where: str, what: str) -> bool:
        """Whether a call of so many bytes or FLOPs may be made, as the largest of fewer told.

        If not, `what` is left out of `where`.
        """
        smaller = {size: each for size, each in self._each.get(kind, {}).items() if size < amount}
        expected = smaller[max(smaller)] * amount if smaller else 0.0
        if expected <= MOST_CALL_SECONDS:
            self._left.get(where, {}).pop(what, None)  # it was, by an earlier and slower look
            return True
        named = self._left.setdefault(where, {})
        named[what] = min(expected, named.get(what, expected))
        return False

    def warnings(self) -> list[RunWarning]:
        """What was left out so far, in one."""
        if not any(self._left.values()):
            return []
        told = "; ".join(
            f"{where}: {', '.join(f'{what} (about {s:.2g} s)' for what, s in named.items())}"
            for where, named in self._left.items()
            if named
        )
        message = (
            f"probes whose call would take more than {MOST_CALL_SECONDS:g} s were left out: {told}"
        )
        advice = "points are held against the roofs that there are; look whether this processor is emulated"
        return [RunWarning(LEFT_OUT, "run", message, advice)]
