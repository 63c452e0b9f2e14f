"""Names of microarchitectures, by the numbers that processors give of themselves. What is not listed is None.

Numbers are facts; a row that is wrong or missing costs a name. Sources:
- AMD and Hygon: the ranges by which Linux tells Zen generations apart, arch/x86/kernel/cpu/amd.c (bsp_init_amd); before
  Zen, AMD's revision guides of families 15h and 16h.
- Intel: Linux, arch/x86/include/asm/intel-family.h, where the core's name stands beside the model; Cascade Lake and
  Cooper Lake are steppings of Skylake's model, by Intel's specification updates.
- Arm: MIDR's implementer and part, as in Arm's technical reference manuals, Linux's arch/arm64/include/asm/cputype.h
  and util-linux's lscpu-arm.c.
- IBM Z: machine types, as in Linux's arch/s390/kernel/processor.c (setup_elf_platform).
"""

from __future__ import annotations

ZEN = (
    (0x17, 0x00, 0x2F, "Zen 1"),
    (0x17, 0x30, 0x4F, "Zen 2"),
    (0x17, 0x50, 0x5F, "Zen 1"),
    (0x17, 0x60, 0x7F, "Zen 2"),
    (0x17, 0x90, 0x91, "Zen 2"),
    (0x17, 0xA0, 0xAF, "Zen 2"),
    (0x18, 0x00, 0x0F, "Zen 1"),
    (0x19, 0x00, 0x0F, "Zen 3"),
    (0x19, 0x10, 0x1F, "Zen 4"),
    (0x19, 0x20, 0x5F, "Zen 3"),
    (0x19, 0x60, 0xAF, "Zen 4"),
    (0x1A, 0x00, 0x4F, "Zen 5"),
    (0x1A, 0x60, 0x7F, "Zen 5"),
    (0x1A, 0x50, 0x5F, "Zen 6"),
    (0x1A, 0x80, 0xAF, "Zen 6"),
    (0x1A, 0xC0, 0xCF, "Zen 6"),
    (0x15, 0x00, 0x01, "Bulldozer"),
    (0x15, 0x02, 0x1F, "Piledriver"),
    (0x15, 0x30, 0x3F, "Steamroller"),
    (0x15, 0x60, 0x7F, "Excavator"),
    (0x16, 0x00, 0x0F, "Jaguar"),
    (0x16, 0x30, 0x3F, "Puma"),
)
"""Family, first and last model."""

INTEL = {
    "Nehalem": (0x1A, 0x1E, 0x1F, 0x2E),
    "Westmere": (0x25, 0x2C, 0x2F),
    "Sandy Bridge": (0x2A, 0x2D),
    "Ivy Bridge": (0x3A, 0x3E),
    "Haswell": (0x3C, 0x3F, 0x45, 0x46),
    "Broadwell": (0x3D, 0x47, 0x4F, 0x56),
    "Skylake": (0x4E, 0x5E, 0x55),
    "Kaby Lake": (0x8E, 0x9E),
    "Comet Lake": (0xA5, 0xA6),
    "Cannon Lake": (0x66,),
    "Ice Lake": (0x6A, 0x6C, 0x7D, 0x7E, 0x9D),
    "Tiger Lake": (0x8C, 0x8D),
    "Rocket Lake": (0xA7,),
    "Sapphire Rapids": (0x8F,),
    "Emerald Rapids": (0xCF,),
    "Granite Rapids": (0xAD, 0xAE),
    "Lakefield": (0x8A,),
    "Alder Lake": (0x97, 0x9A),
    "Raptor Lake": (0xB7, 0xBA, 0xBF),
    "Meteor Lake": (0xAA, 0xAC),
    "Arrow Lake": (0xB5, 0xC5, 0xC6),
    "Lunar Lake": (0xBD,),
    "Panther Lake": (0xCC,),
    "Bartlett Lake": (0xD7,),
    "Sierra Forest": (0xAF,),
    "Grand Ridge": (0xB6,),
    "Clearwater Forest": (0xDD,),
    "Silvermont": (0x37, 0x4A, 0x4D),
    "Airmont": (0x4C, 0x5A, 0x75),
    "Goldmont": (0x5C, 0x5F),
    "Goldmont Plus": (0x7A,),
    "Tremont": (0x86, 0x96, 0x9C),
    "Gracemont": (0xBE,),
    "Knights Landing": (0x57,),
    "Knights Mill": (0x85,),
}
"""Models of family 6."""

HYBRID = {
    "Lakefield": ("Sunny Cove", "Tremont"),
    "Alder Lake": ("Golden Cove", "Gracemont"),
    "Raptor Lake": ("Raptor Cove", "Gracemont"),
    "Meteor Lake": ("Redwood Cove", "Crestmont"),
    "Arrow Lake": ("Lion Cove", "Skymont"),
    "Lunar Lake": ("Lion Cove", "Skymont"),
    "Panther Lake": ("Cougar Cove", "Darkmont"),
}
"""The large core and the small one of processors that have both."""

ARM = {
    0x41: {
        0xB76: "ARM1176",
        0xC05: "Cortex-A5",
        0xC07: "Cortex-A7",
        0xC08: "Cortex-A8",
        0xC09: "Cortex-A9",
        0xC0D: "Cortex-A17",
        0xC0E: "Cortex-A17",
        0xC0F: "Cortex-A15",
        0xD01: "Cortex-A32",
        0xD02: "Cortex-A34",
        0xD03: "Cortex-A53",
        0xD04: "Cortex-A35",
        0xD05: "Cortex-A55",
        0xD06: "Cortex-A65",
        0xD07: "Cortex-A57",
        0xD08: "Cortex-A72",
        0xD09: "Cortex-A73",
        0xD0A: "Cortex-A75",
        0xD0B: "Cortex-A76",
        0xD0C: "Neoverse N1",
        0xD0D: "Cortex-A77",
        0xD0E: "Cortex-A76AE",
        0xD40: "Neoverse V1",
        0xD41: "Cortex-A78",
        0xD42: "Cortex-A78AE",
        0xD43: "Cortex-A65AE",
        0xD44: "Cortex-X1",
        0xD46: "Cortex-A510",
        0xD47: "Cortex-A710",
        0xD48: "Cortex-X2",
        0xD49: "Neoverse N2",
        0xD4A: "Neoverse E1",
        0xD4B: "Cortex-A78C",
        0xD4C: "Cortex-X1C",
        0xD4D: "Cortex-A715",
        0xD4E: "Cortex-X3",
        0xD4F: "Neoverse V2",
        0xD80: "Cortex-A520",
        0xD81: "Cortex-A720",
        0xD82: "Cortex-X4",
        0xD83: "Neoverse V3AE",
        0xD84: "Neoverse V3",
        0xD85: "Cortex-X925",
        0xD87: "Cortex-A725",
        0xD8E: "Neoverse N3",
        0xD8F: "Cortex-A320",
    },
    0x42: {0x516: "ThunderX2"},
    0x43: {0x0A1: "ThunderX", 0x0AF: "ThunderX2", 0x0B8: "ThunderX3"},
    0x46: {0x001: "A64FX", 0x003: "Monaka"},
    0x48: {0xD01: "Kunpeng 920", 0xD02: "Kunpeng 920B"},
    0x4E: {0x003: "Denver 2", 0x004: "Carmel"},
    0x50: {0x000: "X-Gene"},
    0x51: {
        0x001: "Oryon",
        0x800: "Kryo 2xx Gold",
        0x801: "Kryo 2xx Silver",
        0x802: "Kryo 3xx Gold",
        0x803: "Kryo 3xx Silver",
        0x804: "Kryo 4xx Gold",
        0x805: "Kryo 4xx Silver",
        0xC00: "Falkor",
    },
    0x61: {
        0x022: "Icestorm (M1)",
        0x023: "Firestorm (M1)",
        0x024: "Icestorm (M1 Pro)",
        0x025: "Firestorm (M1 Pro)",
        0x028: "Icestorm (M1 Max)",
        0x029: "Firestorm (M1 Max)",
        0x032: "Blizzard (M2)",
        0x033: "Avalanche (M2)",
        0x034: "Blizzard (M2 Pro)",
        0x035: "Avalanche (M2 Pro)",
        0x038: "Blizzard (M2 Max)",
        0x039: "Avalanche (M2 Max)",
    },
    0x6D: {0xD49: "Azure Cobalt 100"},
    0x70: {0x662: "FTC662", 0x663: "FTC663", 0x664: "FTC664", 0x862: "FTC862"},
    0xC0: {0xAC3: "Ampere-1", 0xAC4: "Ampere-1a", 0xAC5: "Ampere-1b"},
}
"""Parts by implementer."""

IBM_Z = {
    "z10": (2097, 2098),
    "z196": (2817, 2818),
    "zEC12": (2827, 2828),
    "z13": (2964, 2965),
    "z14": (3906, 3907),
    "z15": (8561, 8562),
    "z16": (3931, 3932),
    "z17": (9175, 9176),
}
"""Machine types."""

SKYLAKE_SERVER = 0x55


def of_x86(vendor: str, family: int, model: int, stepping: int | None) -> str | None:
    """An x86 processor's, as a product line is named: `Zen 4`, `Granite Rapids`."""
    if vendor in ("AuthenticAMD", "HygonGenuine"):
        found = (name for of, low, high, name in ZEN if of == family and low <= model <= high)
        return next(found, None)
    if vendor != "GenuineIntel" or family != 6:
        return "Diamond Rapids" if (vendor, family, model) == ("GenuineIntel", 19, 1) else None
    if model == SKYLAKE_SERVER and stepping is not None and stepping >= 5:
        return "Cascade Lake" if stepping <= 7 else "Cooper Lake"
    return next((name for name, models in INTEL.items() if model in models), None)


def of_arm(implementer: int | None, part: int | None) -> str | None:
    """An Arm core's."""
    return ARM.get(implementer or 0, {}).get(-1 if part is None else part)


def of_ibm_z(machine: int | None) -> str | None:
    """An IBM mainframe's, by its machine type."""
    return next((name for name, types in IBM_Z.items() if machine in types), None)
