"""A run of a suite in a process of its own, followed from this one: how far it is, how it ends, and what ends it."""

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from bench.fleet import said
from bench.timing import interrupts

LOOK_SECONDS = 2.0
"""Between looks at how far a run is."""


class Ended(NamedTuple):
    """The exit code of a run, negative for the signal that killed it, and the last line that says why."""

    code: int
    why: str


@dataclass
class Child:
    """The run that measures now; whether a signal has asked this process to end."""

    process: subprocess.Popen[bytes] | None = None
    asked: bool = False


def measured(
    command: Sequence[str],
    checkout: Path,
    variables: Mapping[str, str],
    log_path: Path,
    child: Child,
    tell: Callable[[str], None],
) -> Ended:
    """Run `command` in a checkout, with these variables set beside the environment's, to its end.

    What it says is added to a log; its lines of progress are told. Within `signals_go_to(child)` alone. Raises OSError
    where it cannot be started.
    """
    with log_path.open("ab") as log:
        log.write(f"$ {shlex.join(command)}\n".encode())
        log.flush()
        begins = log.tell()
        # a session of its own: Ctrl-C reaches this process alone, and the run once, from here
        child.process = process = subprocess.Popen(
            command,
            cwd=checkout,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if child.asked:  # before there was a process to hear it
        process.terminate()
    try:
        code = _followed(process, log_path, begins, tell)
    except BaseException:  # nobody listens any more
        if not child.asked:
            process.terminate()
        process.wait()
        raise
    finally:
        child.process = None
    return Ended(code, said.why(_from(log_path, begins).decode(errors="replace")))


def _followed(
    process: subprocess.Popen[bytes], log_path: Path, begins: int, tell: Callable[[str], None]
) -> int:
    """Tell its progress until it ends; its exit code."""
    read, code = begins, None
    while code is None:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(LOOK_SECONDS)
        new = _from(log_path, read)
        whole = new[: new.rfind(b"\n") + 1]
        read += len(whole)
        for line in said.progress(whole.decode(errors="replace")):
            tell(line)
    return code


@contextmanager
def signals_go_to(child: Child) -> Iterator[Child]:
    """A signal that asks this process to end goes to the run: a first one ends it in order, a second one at once.

    One that was ignored before (as under nohup) stays ignored.
    """

    def hear(number: int, _frame: FrameType | None) -> None:
        child.asked = True
        if child.process is not None:
            child.process.send_signal(number)

    with interrupts.heard_by(hear):
        yield child


def _from(path: Path, place: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read()
