"""What a profile tells of its machine, as a table of two columns. Pure. Absent facts are left out, but the class."""

from __future__ import annotations

from typing import Any

from bench.profile.records import Profile
from reports.analysis import cycles
from reports.analysis.units import giga, size
from reports.tables.points import Cell, Table

NOT_TOLD = "not told"


def table(profile: Profile) -> Table:
    """Processor, caches, memory, system, threads and packages, then the project that measured."""
    known = profile.machine
    cpu = _object(known.get("cpu"))
    environment = profile.environment
    packages = _object(environment.get("packages"))
    project = profile.project
    facts: list[tuple[str, str | None]] = [
        ("machine", _text(known.get("label"))),
        ("processor", _text(cpu.get("model"))),
        ("clock, the median beside the points", _clock(profile)),
        ("architecture", _text(cpu.get("architecture"))),
        ("microarchitecture", microarchitecture(profile)),
        ("family, model, stepping", numbers(profile)),
        ("kinds of cores", "; ".join(_kind(one) for one in _list(cpu.get("kinds"))) or None),
        ("cores, threads", _joined(cpu.get("cores"), cpu.get("threads"))),
        ("instruction sets", _joined(*_list(cpu.get("isa")))),
        (
            "caches, as the system reports them",
            "; ".join(_cache(one) for one in _list(cpu.get("caches"))) or None,
        ),
        (
            "memory",
            size(known["memory_bytes"]) if isinstance(known.get("memory_bytes"), int) else None,
        ),
        ("NUMA nodes", _text(known.get("numa_nodes"))),
        ("memory nodes without processors", _text(known.get("numa_memory_only") or None)),
        ("processors that may be used", _text(known.get("cpus"))),
        ("processors' time granted", _text(known.get("quota"))),
        ("clock governors", _joined(*_list(known.get("governors")))),
        (
            "page size",
            size(known["page_bytes"]) if isinstance(known.get("page_bytes"), int) else None,
        ),
        ("virtualisation", _text(known.get("virtualization"))),
        ("system", _joined(known.get("os"), known.get("kernel"))),
        *(
            (f"GPU {index}", _gpu(_object(gpu)))
            for index, gpu in enumerate(_list(known.get("gpus")))
        ),
        ("threads used", _text(environment.get("threads"))),
        ("cores used", _joined(*_list(environment.get("cores")))),
        ("thread layer", _text(environment.get("thread_layer"))),
        ("Python", _text(environment.get("python"))),
        ("packages", _joined(*(f"{name} {version}" for name, version in packages.items()))),
        (
            "variables",
            _joined(*(f"{k}={v}" for k, v in _object(environment.get("variables")).items())),
        ),
        ("measured by", _project(project)),
        ("machine id", _text(known.get("id"))),
    ]
    rows = tuple((Cell(name), Cell(value)) for name, value in facts if value)
    return Table(("what", "value"), rows)


def numbers(profile: Profile) -> str:
    """Family, model and stepping of the processor, which its name may not tell; older profiles do not either."""
    cpu = _object(profile.machine.get("cpu"))
    known = [cpu.get(name) for name in ("family", "model_number", "stepping")]
    return NOT_TOLD if None in known else ", ".join(map(str, known))


def microarchitecture(profile: Profile) -> str:
    """Its name, if the profile tells; none is derived here."""
    return _text(_object(profile.machine.get("cpu")).get("microarch")) or NOT_TOLD


def _clock(profile: Profile) -> str | None:
    hertz = cycles.clock(profile)
    return f"{giga(hertz)} GHz" if hertz else None


def _project(project: dict[str, Any]) -> str | None:
    commit = project.get("commit")
    words = [f"rnn-roofline {project['version']}" if project.get("version") else "rnn-roofline"]
    if isinstance(commit, str):
        words.append(f"commit {commit[:12]}" + (" with changes" if project.get("dirty") else ""))
    return ", ".join(words)


def _kind(one: object) -> str:
    kind = _object(one)
    return f"{kind.get('cores')} {kind.get('name') or 'unnamed'} (processors {kind.get('cpus')})"


def _cache(one: object) -> str:
    cache = _object(one)
    each, count = cache.get("size_bytes"), cache.get("instances")
    amount = size(each) if isinstance(each, int) else "size unknown"
    return f"L{cache.get('level')} {str(cache.get('type', '')).lower()} {amount} x {count or 1}"


def _gpu(gpu: dict[str, Any]) -> str | None:
    memory = gpu.get("memory_bytes")
    return _joined(
        gpu.get("name"), size(memory) if isinstance(memory, int) else None, gpu.get("driver")
    )


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _joined(*values: object) -> str | None:
    return ", ".join(str(value) for value in values if value is not None) or None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
