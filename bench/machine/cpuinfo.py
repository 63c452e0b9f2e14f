"""What /proc/cpuinfo tells of every processor, and of all together. Each architecture has a format of its own.

What lscpu prints is read alike.
"""

from dataclasses import dataclass

from bench.machine.system import System, integer

NOTHING = ("", "-", "unknown", "none")
X86 = ("GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls", "Shanghai")


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
        blocks = (*(self.of_cpu[cpu] for cpu in sorted(self.of_cpu)), self.general)
        return next((facts[name] for facts in blocks if name in facts), None)

    def words(self, name: str) -> list[str]:
        """The same as a list of words; empty where it is not told."""
        return (self.any(name) or "").split()

    @property
    def is_x86(self) -> bool:
        """Whether these are x86 processors."""
        return self.any("vendor_id") in X86

    @property
    def is_arm(self) -> bool:
        """Whether these are Arm cores."""
        return bool(self.any("CPU implementer") or self.any("CPU part"))


def read(system: System) -> Info:
    """All of it; empty where the file is missing."""
    return parsed(system.text("proc/cpuinfo"))


def parsed(text: str | None) -> Info:
    """Facts of such a text. Placeholders such as `unknown` count as not told."""
    of_cpu: dict[int, dict[str, str]] = {}
    general: dict[str, str] = {}
    current = general
    for line in (text or "").splitlines():
        name, colon, value = (word.strip() for word in line.partition(":"))
        number = integer(value) if name == "processor" else None
        if number is not None and number >= 0:
            current = of_cpu.setdefault(number, {})
        elif colon and value.lower() not in NOTHING:
            current.setdefault(name, value)
        elif not line.strip():
            current = general
    return Info(of_cpu, general)
