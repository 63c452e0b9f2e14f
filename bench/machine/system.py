"""What a machine tells of itself: the files of /proc and /sys under a root folder; of this one also other programs.

Whatever cannot be read, is empty or is no number is None: no file here ends a run. Linux; elsewhere nothing is told.
"""

import os
import re
import subprocess
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_CPUS = 1 << 16
"""A number beyond is no processor's: a list or a map that names one is not believed."""


@dataclass(frozen=True, slots=True)
class System:
    """A machine under a root folder. `allowed`: processors that a process may use; None: as the folder tells."""

    root: Path
    allowed: tuple[int, ...] | None = None

    def text(self, path: str | Path, pattern: str = r"(?s)(.*)") -> str | None:
        """A file's text without the space around it; None where there is none. Paths are relative to the root.

        With a pattern of lines, the first group of where it matches first.
        """
        text = ""
        with suppress(OSError, ValueError):
            text = (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        found = re.search(pattern, text, re.MULTILINE)
        return (found[1].strip() or None) if found else None

    def number(self, path: str | Path, pattern: str = r"(?s)(.*)") -> int | None:
        """A file that holds an integer, or one in it."""
        return integer(self.text(path, pattern))

    def cpus(self, *paths: str | Path) -> frozenset[int]:
        """The processors that the first readable of these files names: `..._list`s and `cpulist`s, else bit maps."""
        for path in paths:
            text = self.text(path)
            found = (cpu_list if str(path).endswith(("list", "online")) else cpu_map)(text or "")
            if found:
                return found
        return frozenset()

    def found(self, pattern: str) -> list[Path]:
        """Files and folders of this pattern, by number where they are numbered."""
        paths: list[Path] = []
        with suppress(OSError, ValueError):
            paths = [path.relative_to(self.root) for path in self.root.glob(pattern)]
        return sorted(paths, key=lambda path: [_numbered(part) for part in path.parts])


def integer(text: str | None, base: int = 10) -> int | None:
    """A whole number, or None for anything else."""
    with suppress(ValueError):
        return int(text or "", base)
    return None


def cpu_list(text: str) -> frozenset[int]:
    """`0-2,48` as numbers; empty for what is not such a list."""
    found: set[int] = set()
    with suppress(ValueError):
        for part in filter(None, text.strip().split(",")):
            first, dash, last = part.partition("-")
            low, high = int(first), int(last if dash else first)
            if not 0 <= low <= high < MOST_CPUS:
                return frozenset()
            found.update(range(low, high + 1))
        return frozenset(found)
    return frozenset()


def cpu_map(text: str) -> frozenset[int]:
    """`00000000,00070000` as numbers: hexadecimal words of 32 bits, the highest first."""
    digits = text.strip().replace(",", "")
    with suppress(ValueError):
        bits = int(digits, 16) if len(digits) <= MOST_CPUS // 4 else 0
        return frozenset(bit for bit in range(bits.bit_length()) if bits >> bit & 1)
    return frozenset()


def as_list(cpus: frozenset[int]) -> str:
    """Processors as Linux and taskset write them: `0-2,48`."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def output(command: list[str]) -> str | None:
    """What a program prints, in English whatever the user speaks; None where it is not there, fails or is too slow."""
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


def told(ask: Callable[[], Any]) -> Any:
    """What a library answers; None where it raises, as psutil does as it likes where a system hides /proc or /sys."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask()
    return None


def _numbered(part: str) -> tuple[str, int]:
    name = part.rstrip("0123456789")
    return name, int(part[len(name) :] or -1)


THIS = System(
    Path("/"),
    tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else None,
)
"""This machine, and the processors that this process could use when it began: threads are bound to fewer later."""
