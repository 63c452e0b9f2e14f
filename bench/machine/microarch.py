"""Names of microarchitectures, by the numbers that processors give of themselves: the table is microarch.toml.

What is not listed is None.
"""

import tomllib
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
SKYLAKE_SERVER = 0x55


def of_x86(
    vendor: str | None, family: int | None, model: int | None, stepping: int | None
) -> str | None:
    """An x86 processor's, as a product line is named: `Zen 4`, `Granite Rapids`."""
    if model is None:
        return None
    if vendor in ("AuthenticAMD", "HygonGenuine"):
        ranges = [(name, of) for name, each in TABLE["amd"].items() for of in each]
        named = (name for name, (of, low, high) in ranges if of == family and low <= model <= high)
        return next(named, None)
    if vendor != "GenuineIntel" or family != 6:
        return "Diamond Rapids" if (vendor, family, model) == ("GenuineIntel", 19, 1) else None
    if model == SKYLAKE_SERVER and stepping is not None and stepping >= 5:
        return "Cascade Lake" if stepping <= 7 else "Cooper Lake"
    return listed("intel", model)


def of_arm(implementer: int | None, part: int | None) -> str | None:
    """An Arm core's; by its numbers where they are not listed."""
    if implementer is None or part is None:
        return None
    maker, core = f"{implementer:#04x}", f"{part:#05x}"
    name: str = TABLE["arm"].get(maker, {}).get(core, f"Arm core {maker}:{core}")
    return name


def listed(kind: str, number: int) -> str | None:
    """Of `intel` by the model in family 6, of `ibm_z` by a mainframe's machine type."""
    return next((name for name, numbers in TABLE[kind].items() if number in numbers), None)
