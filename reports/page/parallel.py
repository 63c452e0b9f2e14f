"""Work done beside other work, each piece in a process of its own that is forked from this one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS = Path("/proc/self/task")
"""Where Linux lists the threads of a process."""


@contextmanager
def forked(pieces: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Each piece is at work while the body runs; afterwards every one has ended.

    A piece shows what it did in files alone, and may not have been done: it failed, or this process could not be
    forked. The caller looks, and does again what is missing; so no error is lost, and none is told twice.
    """
    children = [_started(piece) for piece in pieces] if _alone() else []
    try:
        yield
    except BaseException:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        raise
    finally:
        for child in children:
            os.waitpid(child, 0)


def _alone() -> bool:
    """Whether this process has one thread: a lock that another holds would stay locked in a child."""
    try:
        return len(list(TASKS.iterdir())) == 1
    except OSError:
        return False


def _started(piece: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        piece()
    finally:
        os._exit(0)  # what this process has buffered and registered is its parent's to end
