"""Steps under limits: what they say goes into one log, a run's folder into an archive that is renewed after each."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
GRACE_SECONDS = 12.0
"""Between being asked to end and being killed: a run that measures writes its report in that time."""
LEAST_SECONDS = 8.0
"""Less than so much left is too little for any step."""
TAIL_LINES = 14
MOST_LOG_BYTES = 3 << 20
"""Of one step: seven make no more than the 16 MiB that a file may have where such a machine is at hand."""
MOST_ARCHIVE_BYTES = 15 << 20
NOT_BEGUN = -1000


@dataclass(frozen=True)
class Step:
    """A command, and the most seconds that it is given. `beside` the step before it where neither times anything."""

    name: str
    seconds: float
    command: tuple[str, ...]
    beside: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    least: float = LEAST_SECONDS


@dataclass(frozen=True)
class Done:
    """How a step ended: its exit code, less than 0 by a signal, NOT_BEGUN with the reason in `told`."""

    name: str
    code: int
    seconds: float
    told: str


def run(planned, until, folder, scratch):
    """Run all of them, as far as there is time until that moment of the monotonic clock, and keep what they leave."""
    done, left = [], list(planned)
    while left:
        count = next((n for n, one in enumerate(left) if n and not one.beside), len(left))
        together, left = left[:count], left[count:]
        with ThreadPoolExecutor(len(together)) as pool:
            ended = list(pool.map(lambda one: _run(one, until, scratch), together))
        for one in ended:
            _keep(one, folder, scratch)
        done += ended
        _archive(scratch / "run", folder / "run.tgz")
    return done


def _run(step, until, scratch):
    return _end(step, _begin(step, until, scratch), scratch)


def _begin(step, until, scratch):
    """(process, when it began, when it must end), or why there is none."""
    seconds = min(step.seconds, until - monotonic() - GRACE_SECONDS)
    if seconds < step.least:
        return "no time"
    log = (scratch / f"{step.name}.log").open("wb")
    with log:
        try:
            process = subprocess.Popen(
                step.command,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **dict(step.environment)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{Path(step.command[0]).name}: {error.strerror}"
    return process, monotonic(), monotonic() + seconds


def _end(step, began, scratch):
    """Wait for it, or end it and all that it started."""
    if isinstance(began, str):
        (scratch / f"{step.name}.log").write_text(f"{began}\n")
        return Done(step.name, NOT_BEGUN, 0.0, began)
    process, start, limit = began
    cut = False
    for signal_, seconds in (
        (signal.SIGTERM, limit - monotonic()),
        (signal.SIGKILL, GRACE_SECONDS),
    ):
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, seconds))
            break
        cut = True
        _signal(process, signal_)
    process.wait()
    _signal(process, signal.SIGKILL)  # what it left running
    told = f"cut at {monotonic() - start:.0f} s" if cut else f"exit code {process.returncode}"
    code = process.returncode or (NOT_BEGUN if cut else 0)
    return Done(step.name, code, monotonic() - start, told)


def _signal(process, what):
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, what)


def _keep(done, folder, scratch):
    """Its log's end to the log of all, and some lines of it to the terminal."""
    said = (scratch / f"{done.name}.log").read_bytes()[-MOST_LOG_BYTES:].decode(errors="replace")
    head = f"== {done.name}: {done.told}, {done.seconds:.0f} s"
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{head}\n{said.rstrip()}\n")
    print(head, *said.rstrip().splitlines()[-TAIL_LINES:], sep="\n", flush=True)


def _archive(run, path):
    """The run's folder, without its pictures where they make it too large. A cut leaves the archive that was there."""
    if not run.is_dir():
        return
    made = path.with_suffix(".part")
    for without in ((), ("plots",), ("plots", "report.html")):
        with tarfile.open(made, "w:gz") as archive:
            for one in sorted(run.iterdir()):
                if one.name not in without:
                    archive.add(one, f"run/{one.name}")
        if made.stat().st_size <= MOST_ARCHIVE_BYTES:
            break
    made.replace(path)
