"""A point that does not come back is given up: by an exception where Python runs, else with the process."""

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 300.0
"""For one point, with `BUDGETS` times the suite's budget on top; compiling takes the longest of what is honest."""
SECONDS_ON_A_GPU = 40.0
"""The same there: a kernel that hangs takes the process with it, and a card's minutes may be counted. Compiling takes
less than 20 s."""
BUDGETS = 4

GRACE = 1.5
"""Compiled code runs no handler. After so many times the limit the process ends, and --resume goes on without it."""


class TooLong(BaseException):
    """The limit is over. No Exception, because implementations catch those."""


class _Errors:
    descriptor = 2


def of_point(budget_seconds: float, device: str) -> float:
    """Seconds that a point of a device may take, all told, in a suite of that budget for its samples."""
    return (SECONDS_ON_A_GPU if device == "cuda" else SECONDS) + BUDGETS * budget_seconds


def report_to_a_copy() -> None:
    """Keep the standard error of now, for what is told when a process ends: pytest puts its own in place later."""
    _Errors.descriptor = os.dup(2)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooLong once what is done inside has taken so long; end the process if that does not stop it.

    A timer of the system's: nothing runs beside what is measured. Does nothing where there is no such timer, and in
    threads other than the main one.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def over(_number: int, _frame: FrameType | None) -> None:
        raise TooLong(f"it did not come back within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(GRACE * seconds, exit=True, file=_Errors.descriptor)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
