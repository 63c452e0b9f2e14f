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
    "KVM": "KVM",
    "QEMU": "QEMU",
    "KubeVirt": "KVM",
    "OpenStack": "KVM",
    "Google Compute Engine": "KVM",
    "DigitalOcean": "KVM",
    "Alibaba Cloud ECS": "KVM",
    "VMware": "VMware",
    "VirtualBox": "VirtualBox",
    "innotek": "VirtualBox",
    "Virtual Machine": "Microsoft",
    "Xen": "Xen",
    "HVM domU": "Xen",
    "Bochs": "Bochs",
    "Parallels": "Parallels",
    "BHYVE": "bhyve",
    "Apple Virtualization": "Apple",
}
"""What firmware calls virtual machines, and whose they are."""
CLOCKS = {"kvm-clock": "KVM", "hyperv_clocksource": "Microsoft", "xen": "Xen"}
"""Clocks that Linux has of a hypervisor."""


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
    tree = system.text("proc/device-tree/hypervisor/compatible") or ""
    clocks = system.text("sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    return (
        _by_firmware(system)
        or _by_mainframe(system)
        or _by_power(system, info)
        or ("Xen" if system.text("sys/hypervisor/type") == "xen" else None)
        or next((name for word, name in (("kvm", "KVM"), ("xen", "Xen")) if word in tree), None)
        or next((name for clock, name in CLOCKS.items() if clock in clocks), None)
    )


def _by_firmware(system: System) -> str | None:
    names = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
    told = [text for name in names if (text := system.text(f"{DMI}/{name}"))]
    if "Amazon EC2" in told and "metal" not in told[0]:
        return "KVM" if "Xen" not in told else "Xen"
    return next((name for text in told for word, name in FIRMWARE.items() if word in text), None)


def _by_mainframe(system: System) -> str | None:
    """IBM Z: every level above this one has a line; without one, this is a partition of the machine."""
    sysinfo = system.text("proc/sysinfo") or ""
    level = re.search(r"^VM00 Control Program:\s*(\S+)", sysinfo, re.MULTILINE)
    if level:
        return "KVM" if level[1].startswith("KVM") else level[1]
    return "PR/SM" if "LPAR Number" in sysinfo else None


def _by_power(system: System, info: Info) -> str | None:
    if not (info.any("platform") or "").startswith("pSeries"):
        return None
    emulated = "qemu" in (info.any("model") or "") or system.text("proc/device-tree/kvm")
    return "KVM" if emulated else "PowerVM"
