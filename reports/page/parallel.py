"""Work done beside other work, each piece in a process of its own that is forked from this one."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

TASKS = Path("/proc/self/task")
"""Where Linux lists the threads of a process."""


@contextmanager
def forked(pieces: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Each piece is at work while the body runs; afterwards every one has ended.

    A piece shows what it did in files alone, and may not have been done: it failed, or the system granted no process,
    or this one has other threads, whose locks would stay locked in a child. The caller looks, and does again what is
    missing; so no error is lost, and none is told twice.
    """
    alone = TASKS.is_dir() and len(list(TASKS.iterdir())) == 1
    fork = get_context("fork").Process
    children = []
    try:
        with suppress(OSError):  # no memory or no process for another
            for piece in pieces if alone else ():
                child = fork(target=_tried, args=(piece,))
                child.start()
                children.append(child)
        yield
    except BaseException:
        for child in children:
            child.kill()
        raise
    finally:
        for child in children:
            child.join()


def _tried(piece: Callable[[], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for it ends it
    with suppress(Exception):
        piece()
