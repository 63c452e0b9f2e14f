"""One measurement at a time on a machine: two at once would take each other's bandwidth and call it the machine's."""

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from bench.profile.errors import OneLine

SYSTEM = Path("/tmp")
PATH = (SYSTEM if SYSTEM.is_dir() else Path(tempfile.gettempdir())) / "rnn-roofline.lock"
"""The same for every checkout and user, so not under TMPDIR; it holds who measures, and stays when nobody does."""

Hold = Callable[[Path], BaseFileLock]
"""How a run takes the machine."""
LOOK_SECONDS = 0.2
"""Between looks whether it has been released."""
WAITING = "waiting up to "
"""What is told of waiting begins so."""


class Busy(OneLine):
    """Another process measures here; the message says which, in one line."""


def hold(
    folder: Path, wait_seconds: float = 0.0, tell: Callable[[str], None] = lambda _: None
) -> BaseFileLock:
    """Take the machine for a run into `folder`, until the lock returned is released or this process ends.

    Where another process has it, whom is waited for is told, once. Raises Busy where it still has it after so long. The
    system takes it from a process that dies, so none is ever stale.
    """
    lock = FileLock(PATH, timeout=0, mode=0o666)
    try:
        try:
            lock.acquire()
        except Timeout:
            if not wait_seconds:
                raise
            tell(f"{WAITING}{wait_seconds:g} s for {holder()}")
            lock.acquire(timeout=wait_seconds, poll_interval=LOOK_SECONDS)
        with PATH.open("r+", encoding="utf-8") as file:
            file.truncate()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            file.write(f"process {os.getpid()} since {now}, into {folder}\n")
    except Timeout as error:
        mend = "wait longer for it" if wait_seconds else "wait for it (--wait)"
        raise Busy(
            f"{holder()} measures on this machine: two at once would spoil both; {mend}, or end it"
        ) from error
    except OSError as error:
        raise Busy(f"{PATH}: cannot be locked: {error.strerror}: remove it") from error
    return lock


def holder() -> str:
    """Who wrote into the lock last, in a few words."""
    try:
        line = PATH.read_text(encoding="utf-8", errors="replace").strip().split("\n")[0][:300]
    except OSError:
        line = ""
    return line or "another process"


def held_by() -> str | None:
    """Who holds the machine now, or None."""
    lock = FileLock(PATH, timeout=0, mode=0o666)
    try:
        lock.acquire()
    except Timeout:
        return holder()
    except OSError:
        return None
    lock.release()
    return None
