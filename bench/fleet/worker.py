"""What runs on a node: an actor of Ray's that starts one measurement as a process, and hands its profile over in parts.

It is sent to the node by value and needs nothing but Python there. The measurement has the environment, niceness and
signals that the node had before Ray, and ends with this process.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PART_BYTES = 90_000
"""Of a profile in one reply: up to 100 KiB travel within it, more would lie in the node's object store."""
TAIL_BYTES = 4096
"""Of what the measurement said last."""
GRACE_SECONDS = 10.0
"""From asking the measurement to end to killing it."""
MOST_BYTES = 128 << 20
ENDED, LOG, RUN, SUITE = "ended", "log.txt", "run", "suite.toml"
OWN = ("SPT_NOENV", "PYTHONBREAKPOINT")
"""What Ray sets beside RAY_*."""
OF_A_WORKER = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONPATH")
"""What it sets in a worker after that has begun."""
PRELUDE = """
import ctypes, os, signal, sys
parent, score, *command = sys.argv[1:]
signal.pthread_sigmask(signal.SIG_SETMASK, ())
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(score)
except OSError:
    pass
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except (AttributeError, OSError):
    pass
if os.getppid() != int(parent):
    sys.exit("its worker is gone")
os.execvp(command[0], command)
"""
"""Takes back what is inherited of a Ray worker, asks the kernel to be killed with it, and becomes the measurement."""


class Worker:
    """One measurement on one node. Each call answers within seconds; replies are small plain data."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._packed = b""

    def hello(self, checkout: str) -> dict[str, Any]:
        """Whether the checkout is there, and which Python this is."""
        there = all((Path(checkout) / name).exists() for name in ("pyproject.toml", "bench"))
        return {"checkout": there, "python": sys.executable}

    def start(
        self, name: str, checkout: str, begin: list[str], resume: list[str], suite: bytes | None
    ) -> int:
        """Start the measurement in the folder of this name, or go on with what the folder holds.

        Returns by how much it is nicer than Ray itself, which a user without rights cannot take back.
        In the commands {out}, {suite} and {python} stand for the run's folder, the suite's file and this Python.
        """
        self._folder = folder = _folder(name)
        if (folder / ENDED).exists():
            if (folder / RUN / "profile.json").exists():
                return 0
            (folder / ENDED).unlink()
        if suite is not None:
            (folder / SUITE).write_bytes(suite)
        journal = folder / RUN / "journal.jsonl"
        begun = journal.exists() and b"\n" in journal.read_bytes()[: 1 << 20]
        if (folder / RUN).exists() and not begun:
            shutil.rmtree(folder / RUN)
        stand_for = {
            "{out}": str(folder / RUN),
            "{suite}": str(folder / SUITE),
            "{python}": sys.executable,
        }
        command = [_filled(word, stand_for) for word in (resume if begun else begin)]
        raylet = _raylet()
        score = "0"
        with suppress(OSError):
            score = Path(f"/proc/{raylet}/oom_score_adj").read_text("ascii").strip()
        nicer, wanted = _niceness(raylet)
        with (folder / LOG).open("wb") as log:
            with suppress(OSError):  # of this thread, from which the process inherits it
                os.setpriority(os.PRIO_PROCESS, 0, wanted)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", PRELUDE, str(os.getpid()), score, *command],
                    cwd=checkout,
                    env=environment(raylet),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            finally:
                left = _niceness(raylet)[0]
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, 0, wanted + nicer)
        return left

    def follow(self, seconds: float) -> dict[str, Any]:
        """Wait so long for its end; what it said last, and its exit code once it has one."""
        code = self._ended(seconds)
        return {"code": code, "said": self._said()}

    def pack(self) -> dict[str, Any]:
        """The profile compressed, to be handed over by `part`: how many parts, and the digest of them all."""
        path = self._folder / RUN / "profile.json"
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return {"parts": 0, "digest": ""}
        self._packed = lzma.compress(path.read_bytes())
        count = -(-len(self._packed) // PART_BYTES)
        return {"parts": count, "digest": hashlib.sha256(self._packed).hexdigest()}

    def part(self, number: int) -> bytes:
        """One part of it, from 0."""
        return self._packed[number * PART_BYTES : (number + 1) * PART_BYTES]

    def stop(self) -> None:
        """End the measurement in order; kill it, with all of its session, where it does not."""
        if self._process is None or self._ended(0) is not None:
            return
        self._process.terminate()
        if self._ended(GRACE_SECONDS) is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def again(self) -> None:
        """Keep what it left, and go on with it when it is started again."""
        self.stop()
        (self._folder / ENDED).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what it left in the node's temporary folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ended(self, seconds: float) -> int | None:
        """Its exit code, waited for without waking up."""
        if self._process is None:  # it had ended before this worker began
            return int((self._folder / ENDED).read_text("ascii"))
        if self._process.poll() is None and seconds > 0:
            try:
                descriptor = os.pidfd_open(self._process.pid)
            except (AttributeError, OSError):
                time.sleep(min(seconds, 1.0))
            else:
                select.select([descriptor], [], [], seconds)
                os.close(descriptor)
        code = self._process.poll()
        if code in (0, 1) and not (self._folder / ENDED).exists():
            (self._folder / ENDED).write_text(str(code), "ascii")
        return code

    def _said(self) -> str:
        with (self._folder / LOG).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES))
            return log.read(TAIL_BYTES).decode(errors="replace")


def environment(raylet: int) -> dict[str, str]:
    """The environment that the node had before Ray: that of the process which `ray start` has left on it."""
    kept, late = _environment_of(str(raylet)) or _environment_of("self"), False
    if not kept:  # no Linux
        kept, late = dict(os.environ), True
    dropped = (*OWN, *OF_A_WORKER) if late else OWN
    if "/ray/core/" in kept.get("LD_PRELOAD", ""):  # the allocator that Ray gives its own programs
        del kept["LD_PRELOAD"]
    return {k: v for k, v in kept.items() if not k.startswith("RAY_") and k not in dropped}


def _environment_of(process: str) -> dict[str, str]:
    """What a process was given; empty where that cannot be seen."""
    try:
        pairs = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    return dict(os.fsdecode(one).split("=", 1) for one in pairs if b"=" in one)


def _raylet() -> int:
    return int(os.environ.get("RAY_RAYLET_PID") or os.getppid())


def _niceness(raylet: int) -> tuple[int, int]:
    """By how much this process is nicer than Ray itself was started, and how nice that is."""
    try:
        wanted = os.getpriority(os.PRIO_PROCESS, raylet)
    except OSError:
        wanted = 0
    return os.getpriority(os.PRIO_PROCESS, 0) - wanted, wanted


def _folder(name: str) -> Path:
    """A folder of ours alone in the node's temporary folder. Raises OSError where it is somebody else's."""
    folder = Path(tempfile.gettempdir()) / name
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = folder.lstat()
    if about.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
        raise PermissionError(f"{folder} is somebody else's")
    return folder


def _filled(word: str, stand_for: dict[str, str]) -> str:
    for mark, value in stand_for.items():
        word = word.replace(mark, value)
    return word
