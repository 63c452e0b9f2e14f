"""One measurement at a time on a machine: two at once would take each other's bandwidth and call it the machine's."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from bench.profile.errors import OneLine

SYSTEM = Path("/tmp")
PATH = (SYSTEM if SYSTEM.is_dir() else Path(tempfile.gettempdir())) / "rnn-roofline.lock"
"""The same for every checkout and user, so not under TMPDIR; it holds who measures, and stays when nobody does."""


class Busy(OneLine):
    """Another process measures here; the message says which, in one line."""


def hold(folder: Path) -> BaseFileLock:
    """Take the machine for a run into `folder`, until the lock returned is released or this process ends.

    Raises Busy where another process has it. The system takes it from a process that dies, so none is ever stale.
    """
    lock = FileLock(PATH, timeout=0, mode=0o666)
    try:
        lock.acquire()
        with PATH.open("r+", encoding="utf-8") as file:
            file.truncate()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            file.write(f"process {os.getpid()} since {now}, into {folder}\n")
    except Timeout as error:
        raise Busy(
            f"{holder()} measures on this machine: two at once would spoil both; wait for it, or end it"
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
