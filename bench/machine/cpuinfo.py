"""What /proc/cpuinfo tells of every processor, and of all together. Each architecture has a format of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.machine.system import System, integer

NOTHING = ("", "-", "unknown", "none")


@dataclass(frozen=True, slots=True)
class Info:
    """Facts by name: those of a processor, and those that stand in no processor's block."""

    of_cpu: dict[int, dict[str, str]]
    general: dict[str, str]

    def of(self, cpu: int, name: str) -> str | None:
        """One processor's fact, else that of all: old Arm kernels tell the parts of a core once."""
        return self.of_cpu.get(cpu, {}).get(name) or self.general.get(name)

    def any(self, name: str) -> str | None:
        """The first that any processor tells, or all of them together."""
        return next(self._every(name), None)

    def number(self, name: str, base: int = 10) -> int | None:
        """The same as an integer."""
        return integer(self.any(name), base)

    def _every(self, name: str) -> Iterator[str]:
        for facts in (*(self.of_cpu[cpu] for cpu in sorted(self.of_cpu)), self.general):
            if name in facts:
                yield facts[name]


def read(system: System) -> Info:
    """All of it; empty where the file is missing. Placeholders such as `unknown` count as not told."""
    of_cpu: dict[int, dict[str, str]] = {}
    general: dict[str, str] = {}
    current = general
    for line in (system.text("proc/cpuinfo") or "").splitlines():
        name, colon, value = (word.strip() for word in line.partition(":"))
        number = integer(value) if name == "processor" else None
        if number is not None and number >= 0:
            current = of_cpu.setdefault(number, {})
        elif colon and value.lower() not in NOTHING:
            current.setdefault(name, value)
        elif not line.strip():
            current = general
    return Info(of_cpu, general)
