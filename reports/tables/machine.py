"""What a profile tells of its machine, and its roofs per clock cycle, as tables. Absent facts are left out."""

from typing import Any, NamedTuple

from bench.profile import level_names
from reports.analysis.analysis import CPU, Analysis
from reports.analysis.wording import giga, microarchitecture, number, numbers, size
from reports.tables.columns import Cell, Column, Table, scaled, table


def facts(analysis: Analysis) -> Table:
    """Processor, caches, memory, system, threads and packages, then the project that measured."""
    profile = analysis.profile
    known, environment, cpu = profile.machine, profile.environment, profile.cpu
    packages, variables = (environment.get(name, {}) for name in ("packages", "variables"))
    told: dict[str, object] = {
        "machine": known.get("label"),
        "processor": cpu.get("model"),
        "clock, the median beside the points": f"{giga(analysis.clock)} GHz"
        if analysis.clock
        else None,
        "architecture": cpu.get("architecture"),
        "microarchitecture": microarchitecture(profile),
        "family, model, stepping": numbers(profile),
        "kinds of cores": "; ".join(map(_kind, cpu.get("kinds", ()))),
        "cores, threads": [cpu.get("cores"), cpu.get("threads")],
        "instruction sets": cpu.get("isa"),
        "caches, as the system reports them": "; ".join(map(_cache, cpu.get("caches", ()))),
        "memory": _size(known.get("memory_bytes")),
        "NUMA nodes": known.get("numa_nodes"),
        "memory nodes without processors": known.get("numa_memory_only") or None,
        "processors that may be used": known.get("cpus"),
        "processors' time granted": known.get("quota"),
        "clock governors": known.get("governors"),
        "page size": _size(known.get("page_bytes")),
        "virtualisation": known.get("virtualization"),
        "system": [known.get("os"), known.get("kernel")],
        **{f"GPU {index}": _gpu(gpu) for index, gpu in enumerate(known.get("gpus", ()))},
        "threads used": environment.get("threads"),
        "cores used": environment.get("cores"),
        "thread layer": environment.get("thread_layer"),
        "Python": environment.get("python"),
        "packages": [f"{name} {version}" for name, version in packages.items()],
        "variables": [f"{name}={value}" for name, value in variables.items()],
        "measured by": _project(profile.project),
        "machine id": known.get("id"),
    }
    rows = ((Cell(name), Cell(text)) for name, value in told.items() if (text := _text(value)))
    return Table(("what", "value"), tuple(rows))


class _Line(NamedTuple):
    """A roof of so many threads, per second: the best and the median of its samples."""

    roof: str
    threads: int
    best: float
    median: float | None
    unit: str


def roofs(analysis: Analysis) -> Table:
    """Every level's bandwidth and the best products of each dtype at all threads, and at one where it was measured.

    Beside the best of the samples that count stands the median of all.

    A rate is shared out among its threads, one to a core, and divided by the clock: so a reader can check it in his
    head, 32 or 64 FLOP, 32 or 64 bytes.
    """
    found, hertz = analysis.roofs, analysis.clock
    everyone = found.all_threads(CPU)
    lines: list[_Line] = []
    for threads in sorted({1, everyone} if everyone else (), reverse=True):
        rates = [
            (level.name, level.bytes_per_s, found.typical_level(CPU, level))
            for level in found.levels(CPU)
        ]
        if threads != everyone:
            # The levels are those of all threads: of one only the ends of its curve are known.
            best, typical = (
                curves.get(threads, []) for curves in (found.curve(CPU), found.typical_curve(CPU))
            )
            rates = [
                (name, best[at][1], typical[at][1])
                for name, at in (("start of its curve", 0), ("end of its curve", -1))
                if best
            ]
        lines += [
            _Line(f"read, {name}", threads, rate, usual, "byte") for name, rate, usual in rates
        ]
        for name in found.dtypes():
            if peak := found.arithmetic_roof(CPU, threads, name):
                usual = found.typical_product(CPU, threads, name)
                lines.append(_Line(f"products, {name}", threads, peak, usual, "FLOP"))
    columns: tuple[Column[_Line], ...] = (
        Column("roof", lambda line: line.roof),
        Column("threads", lambda line: line.threads),
        Column("best", lambda line: line.best, scaled(1e-9)),
        Column("median", lambda line: line.median, scaled(1e-9)),
        Column("unit", lambda line: f"G{'B' if line.unit == 'byte' else line.unit}/s"),
        Column(
            "best a cycle and thread",
            lambda line: per_cycle(line.best, line.threads, hertz),
            number,
        ),
        Column("unit", lambda line: f"{line.unit}/cycle"),
    )
    return table(columns, lines)


def per_cycle(rate: float | None, threads: int | None, hertz: float | None) -> float | None:
    """Of a rate per second, what each thread has in a cycle; None where one of the three is not known."""
    return rate / threads / hertz if rate and threads and hertz else None


def _project(project: dict[str, Any]) -> str:
    commit, version = project.get("commit"), project.get("version")
    named = f"rnn-roofline {version}" if version else "rnn-roofline"
    if not commit:
        return named
    return f"{named}, commit {commit[:12]}{' with changes' if project.get('dirty') else ''}"


def _kind(kind: dict[str, Any]) -> str:
    return f"{kind.get('cores')} {kind.get('name') or 'unnamed'} (processors {kind.get('cpus')})"


def _cache(cache: dict[str, Any]) -> str:
    amount, count = _size(cache.get("size_bytes")) or "size unknown", cache.get("instances") or 1
    name = level_names.cache(cache.get("level"))
    return f"{name} {str(cache.get('type', '')).lower()} {amount} x {count}"


def _gpu(gpu: dict[str, Any]) -> str:
    return _text([gpu.get("name"), _size(gpu.get("memory_bytes")), gpu.get("driver")])


def _size(value: int | None) -> str | None:
    return None if value is None else size(value)


def _text(value: object) -> str:
    """A fact as text, a list joined by commas; nothing where it is absent."""
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value if one is not None)
    return "" if value is None else str(value)
