"""Other people's programs: run to their end, or within a time; C compiled by one; or the reason why not."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from kernels.case import Unavailable

FLAGS = ("-O3", "-shared", "-fPIC")
COMPILE_SECONDS = 60


def run(command: list[str], timeout: float, **more: Any) -> subprocess.CompletedProcess[str]:
    """What it printed and its exit code. Raises Unavailable where it cannot be started or takes too long."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
            **more,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(command)}: {error}") from error


def line(said: str, number: int = 0) -> str:
    """A line of what a program said, short enough for a reason."""
    return (said.strip().splitlines() or ["it said nothing"])[number][:200]


def compiled(source: Path, folder: Path, *flags: str) -> Path:
    """A shared library of this C source in `folder`. Raises Unavailable without a compiler or where it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unavailable(f"no C compiler for {source.name}: install gcc or clang")
    library = folder / f"{source.stem}.so"
    built = run([compiler, *FLAGS, *flags, "-o", str(library), str(source)], COMPILE_SECONDS)
    if built.returncode:
        raise Unavailable(f"{source.name} does not compile: {line(built.stderr)}")
    return library
