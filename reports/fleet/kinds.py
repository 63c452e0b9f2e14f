"""What is compared between nodes: figures, by their kinds."""

from typing import NamedTuple

STEPS, LIBRARY = "steps", "library"
CLOCK, CACHE, ARITHMETIC, MEMORY, CALL = "clock", "cache", "arithmetic", "memory", "call"
ROOFS = (CLOCK, CACHE, ARITHMETIC, MEMORY, CALL)
"""Kinds of figures, roofs in the order in which they explain a slow node: what comes first moves what follows."""


class Figure(NamedTuple):
    """What is compared between nodes: its kind, one of STEPS, ROOFS, LIBRARY; its name; and the device."""

    kind: str
    name: str
    device: str

    def __str__(self) -> str:
        """As a table has it: `DRAM read`, `steps on cuda`."""
        return self.name if self.device == "cpu" else f"{self.name} on {self.device}"
