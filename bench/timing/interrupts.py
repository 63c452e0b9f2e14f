"""Ctrl-C, a request to end, a closed terminal: asked once, a run ends in order; asked twice, at once.

In order means: what is being written is finished, the point being measured is given up, what there is is reported.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 130
"""Exit code of a process that ends for a signal, whichever it was."""

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class _State:
    """Of this process, as signals are."""

    asked: str | None = None
    holding = 0


@contextmanager
def listening() -> Iterator[None]:
    """The first of SIGNALS raises KeyboardInterrupt, where nothing is `held`; the second ends the process.

    One that was ignored before (as under nohup) stays ignored. The handlers before are put back at the end.
    """
    _State.asked, _State.holding = None, 0
    with heard_by(_hear):
        yield


@contextmanager
def heard_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Each of SIGNALS goes to a handler, but one that was ignored before; the handlers before are put back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, earlier in before.items() if earlier is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def asked() -> str | None:
    """The name of the signal that asked this process to end, or None."""
    return _State.asked


@contextmanager
def held() -> Iterator[None]:
    """Whatever is done inside is finished first; a signal heard meanwhile raises KeyboardInterrupt at the end."""
    before = _State.asked
    _State.holding += 1
    try:
        yield
    finally:
        _State.holding -= 1
    if _State.asked and not before and not _State.holding:
        raise KeyboardInterrupt


def hold() -> None:
    """What follows, up to the end of `listening`, is finished first: a first signal is only noted."""
    _State.holding += 1


def _hear(number: int, _frame: FrameType | None) -> None:
    if _State.asked:
        os._exit(
            INTERRUPTED
        )  # asked twice: whatever hangs here, every finished point is on the disk
    _State.asked = signal.Signals(number).name
    if not _State.holding:
        raise KeyboardInterrupt


def ended(code: int) -> str:
    """How a process of this return code ended: its exit code, or the signal's name, or its number where it has none."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
