"""What two runs may differ in, in words: machine, settings, environment, versions. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.profile.records import Profile
from reports.analysis.wording import NOT_TOLD, microarchitecture, numbers
from reports.compare.system import KIND, NUMBERS


def facts(profile: Profile) -> dict[str, str]:
    """What two runs may differ in, each as one line."""
    environment, project, machine = profile.environment, profile.project, profile.machine
    # of most points, for a few miss theirs by chance
    pages = Counter(point.page_bytes for point in profile.points if point.page_bytes)
    known: dict[str, object] = {
        "machine": machine.get("label"),
        "machine id": machine.get("id"),
        "processor": profile.cpu.get("model"),
        NUMBERS: numbers(profile),
        KIND: microarchitecture(profile),
        "system": machine.get("kernel"),
        "allowed cores": machine.get("cpus"),
        "quota": _none(machine, "quota"),
        "clock governor": _none(machine, "governors"),
        **_of_gpus(machine.get("gpus") or []),
        "virtualisation": machine.get("virtualization"),
        "memory": _gibibytes(machine.get("memory_bytes")),
        "measured": profile.created,
        "method": profile.method,
        "suite": profile.suite,
        "settings": profile.settings,
        "rnn-roofline": project.get("version"),
        "commit": project.get("commit"),
        "Python": environment.get("python"),
        "threads": environment.get("threads"),
        "cores": environment.get("cores"),
        "thread layer": environment.get("thread_layer"),
        "variables": environment.get("variables"),
        "page size": [size for size, _ in pages.most_common(1)],
        "complete": "yes" if profile.complete else "no",
    }
    known |= environment.get("packages", {})
    versions: dict[str, set[str]] = {}
    for point in profile.points:
        if point.version:
            versions.setdefault(point.implementation, set()).add(point.version)
    known |= {f"version of {name}": sorted(found) for name, found in versions.items()}
    told = {key: " ".join(_line(value).split()) for key, value in known.items()}
    return {key: value for key, value in told.items() if value not in ("", NOT_TOLD)}


def _gibibytes(count: int | None) -> str | None:
    """As a machine's id counts it."""
    return None if count is None else f"{count >> 30} GiB"


def _none(machine: dict[str, Any], key: str) -> object:
    """What is told of a machine, `none` where that is told; nothing of a profile that is older than the question."""
    return (machine[key] or "none") if key in machine else None


def _of_gpus(gpus: Sequence[dict[str, Any]]) -> dict[str, object]:
    """What the driver tells of the GPUs: of several alike once."""
    told = {
        "driver": ("driver", None),
        "ECC": ("ecc", {True: "on", False: "off"}),
        "power limit, W": ("power_limit_w", None),
        "MIG": ("mig", {True: "on", False: "off"}),
    }
    found: dict[str, object] = {}
    for name, (key, words) in told.items():
        values = [gpu[key] for gpu in gpus if gpu.get(key) is not None]
        found[name] = list(dict.fromkeys(words[value] if words else value for value in values))
    return found


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={value[key]}" for key in sorted(value, key=str))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
