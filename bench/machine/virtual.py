"""Whether this is a virtual machine, and whose: None on bare metal, `unknown` where nothing tells.

On x86 the hypervisor shows itself by a processor flag. Elsewhere firmware's tables (DMI, the device tree) tell if
anything does, and saying nothing means nothing: there the answer is `unknown`.
"""

import re

from bench.machine.cpuinfo import Info
from bench.machine.system import System

UNKNOWN, UNNAMED = "unknown", "hypervisor"
DMI = "sys/class/dmi/id"
FIRMWARE = {
    "KVM": "KVM|KubeVirt|OpenStack|Google Compute Engine|DigitalOcean|Alibaba Cloud ECS",
    "QEMU": "QEMU",
    "VMware": "VMware",
    "VirtualBox": "VirtualBox|innotek",
    "Microsoft": "Virtual Machine",
    "Xen": "Xen|HVM domU",
    "Bochs": "Bochs",
    "Parallels": "Parallels",
    "bhyve": "BHYVE",
    "Apple": "Apple Virtualization",
}
"""By whose a virtual machine is, what firmware calls it."""
TREES = {"KVM": "kvm", "Xen": "xen"}
"""The same of what a device tree's hypervisor is compatible with."""
CLOCKS = {"KVM": "kvm-clock", "Microsoft": "hyperv_clocksource", "Xen": "xen"}
"""And of clocks that Linux has of a hypervisor."""


def hypervisor(system: System, info: Info) -> str | None:
    """Its name; `hypervisor` where there is one that nothing names."""
    flags = info.words("flags") if info.is_x86 else []
    named = _named(system, info)
    if "hypervisor" in flags:
        return named or UNNAMED
    if named or flags:
        return named
    firmware = system.text(f"{DMI}/sys_vendor") or system.text(f"{DMI}/product_name")
    is_metal = info.any("platform") == "PowerNV" or firmware is not None
    return None if is_metal else UNKNOWN


def _named(system: System, info: Info) -> str | None:
    clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource"
    return (
        _by_firmware(system)
        or _by_mainframe(system)
        or _by_power(system, info)
        or ("Xen" if system.text("sys/hypervisor/type") == "xen" else None)
        or _whose(system.text("proc/device-tree/hypervisor/compatible"), TREES)
        or _whose(system.text(clocks), CLOCKS)
    )


def _whose(text: str | None, table: dict[str, str]) -> str | None:
    return next((name for name, words in table.items() if re.search(words, text or "")), None)


def _by_firmware(system: System) -> str | None:
    names = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
    told = [text for name in names if (text := system.text(f"{DMI}/{name}"))]
    if "Amazon EC2" in told and "metal" not in told[0]:
        return "KVM" if "Xen" not in told else "Xen"
    return next((name for text in told if (name := _whose(text, FIRMWARE))), None)


def _by_mainframe(system: System) -> str | None:
    """IBM Z: every level above this one has a line; without one, this is a partition of the machine."""
    level = system.text("proc/sysinfo", r"^VM00 Control Program:\s*(\S+)")
    if level:
        return "KVM" if level.startswith("KVM") else level
    return "PR/SM" if system.text("proc/sysinfo", "(LPAR Number)") else None


def _by_power(system: System, info: Info) -> str | None:
    if not (info.any("platform") or "").startswith("pSeries"):
        return None
    emulated = "qemu" in (info.any("model") or "") or system.text("proc/device-tree/kvm")
    return "KVM" if emulated else "PowerVM"
