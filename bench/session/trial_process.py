"""Risky points are tried in a process of their own first: what crashes, hangs or eats memory takes that one with it.

Risky are files of the user's own, and points at which an earlier process of the run ended. The trial is over before
anything is measured, and measuring is the same with and without it.

    python -m bench.session.trial_process

is the child: a JSON line of {"case", "implementation"} in, a byte out for each that did not end it.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch

from bench.device import threads
from bench.profile.suite import Planned
from bench.timing import interrupts
from kernels import implementations
from kernels.case import Case

SECONDS = 120.0
"""For one point: building it and calling every step that it binds once or more; starting the process included."""

WEIGHT_SETS = 2
ROOT = Path(__file__).parents[2]


def tried(planned: Sequence[Planned], seconds: float = SECONDS) -> dict[str, str]:
    """Try every one of these points. Returns, by key, why some of them must not be run in a process that matters."""
    found: dict[str, str] = {}
    left = deque(planned)
    while left:
        with threads.unbound():
            child = _start(seconds)
        reason = None
        try:
            while left and reason is None:
                one = left.popleft()
                reason = _why_not(child, one, seconds)
                if reason:
                    found[one.key] = reason
        finally:
            child.kill()
            child.communicate()
    return found


def _start(seconds: float) -> subprocess.Popen[bytes]:
    # a session of its own: Ctrl-C is this process's affair
    return subprocess.Popen(
        [sys.executable, "-m", "bench.session.trial_process", str(seconds)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _why_not(child: subprocess.Popen[bytes], planned: Planned, seconds: float) -> str | None:
    assert child.stdin is not None
    assert child.stdout is not None
    name = str(implementations.file_of(planned.implementation) or planned.implementation)
    job = {"case": asdict(planned.case), "implementation": name}
    with suppress(BrokenPipeError):  # it ended; how, is told below
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
    ready, _, _ = select.select([child.stdout], [], [], seconds)
    if not ready:
        return f"tried in a process of its own, it did not come back within {seconds:g} s"
    if os.read(child.stdout.fileno(), 1):
        return None
    code = child.wait()
    memory = ", as where memory is used up" if code == -signal.SIGKILL else ""
    return f"tried in a process of its own, it ended that process: {interrupts.ended(code)}{memory}"


def main(seconds: float) -> None:
    """The child: try what is asked for, one after the other, until nothing more is."""
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # an implementation may print
    with suppress(OSError):
        # where memory runs out the system shall end this process rather than another
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for line in sys.stdin:
        job = json.loads(line)
        signal.alarm(int(seconds) + 1)  # should nobody be left to end it
        with suppress(BaseException):  # what it raises, the point will tell
            _try(Case(**job["case"]), job["implementation"])
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # a GPU that is lost ends this process
        signal.alarm(0)
        os.write(told, b".")
    os._exit(0)  # nothing that an implementation left for the end


def _try(case: Case, name: str) -> None:
    from bench.measure import room, rotation
    from bench.telemetry import memory
    from kernels.reference.inputs import Arena, draw, set_bytes

    implementation = implementations.load(implementations.named(name))
    if case.device == "cpu":
        threads.use(case.threads)
    if implementation.unavailable(case):
        return
    layout = implementation.layout(case)
    size = WEIGHT_SETS * set_bytes(layout, case.dtype)
    if room.memory_needed(case, size) > memory.available() // 2:
        return
    sets = Arena(size, case.device, 0).sets(layout, case.dtype, WEIGHT_SETS)
    inputs = draw(case, torch.Generator(device=case.device).manual_seed(0))
    with torch.inference_mode(case.phase == "step"):
        for way in implementation.choices(case) or (None,):
            for _, _, call in rotation.bind(implementation, case, sets, inputs, way):
                call()
    if case.device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(float(sys.argv[1]))
