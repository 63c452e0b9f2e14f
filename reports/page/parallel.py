"""Work done beside other work, each piece in a process of its own that is forked from this one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

TASKS = Path("/proc/self/task")
"""Where Linux lists the threads of a process."""


@contextmanager
def forked(pieces: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Each piece is at work while the body runs; afterwards every one has ended.

    A piece shows what it did in files alone, and may not have been done: it failed, or this process could not be
    forked, for a lock that another thread holds would stay locked in a child. The caller looks, and does again what is
    missing; so no error is lost, and none is told twice.
    """
    alone = TASKS.is_dir() and len(list(TASKS.iterdir())) == 1
    fork = get_context("fork").Process
    children = [fork(target=_tried, args=(piece,)) for piece in pieces] if alone else []
    for child in children:
        child.start()
    try:
        yield
    except BaseException:
        for child in children:
            child.kill()
        raise
    finally:
        for child in children:
            child.join()


def _tried(piece: Callable[[], object]) -> None:
    with suppress(Exception):
        piece()
