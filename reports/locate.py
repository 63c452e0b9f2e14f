"""What a PROFILE argument stands for: a file, a run folder, a gallery name, or `latest`.

Every figure that later arithmetic divides by is checked here, so that a profile that loads can be reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.profile import reader, records
from bench.profile.errors import BadFile, OneLine
from bench.profile.journal import from_journal
from bench.profile.records import Point, Profile

HOME = Path(__file__).resolve().parent
LATEST = "latest"

LARGEST_SIZE = 1 << 60
LONGEST_NAME = 200
"""Characters of a name that stands in a plot's key."""
MOST_LEVELS = 32
SMALLEST, LARGEST = 1e-12, 1e24
"""No time in seconds and no rate per second of a real machine lies outside; within, no ratio overflows."""


class BadInput(OneLine):
    """An argument that names no profile, or no place to write; the message says the mend."""


def find(argument: str, home: Path = HOME) -> Path:
    """The file an argument stands for: profile.json, or the journal of a run that did not live to write one.

    `home` holds `runs` and `gallery`. Raises BadInput.
    """
    if argument == LATEST:
        return _in_folder(_latest(home / "runs"))
    given = Path(argument)
    for path in (given, home / "gallery" / argument):
        try:
            if path.is_dir():
                return _in_folder(path)
            if path.is_file():
                return path
        except OSError as error:  # a name too long for the system
            raise BadInput(f"{argument[:60]}...: {error.strerror}: name a profile") from error
    names = ", ".join(gallery(home)) or "none yet"
    raise BadInput(
        f"{argument}: no such file, run folder or gallery name: gallery names are {names}"
    )


def load(argument: str, home: Path = HOME) -> tuple[Profile, Path]:
    """The profile an argument stands for, and the folder it lies in. Raises BadInput or BadFile."""
    path = find(argument, home)
    profile = from_journal(path.parent) if path.name == "journal.jsonl" else reader.load(path)
    sound(profile, str(path))
    return profile, path.parent


def gallery(home: Path = HOME) -> list[str]:
    """The names under which the gallery keeps profiles, in order."""
    return sorted(path.parent.name for path in (home / "gallery").glob("*/profile.json"))


def sound(profile: Profile, where: str) -> None:
    """Raise BadFile where a figure could not have been measured."""
    sizes = [roof.working_set_bytes for roof in profile.roofs]
    sizes += [level.up_to_bytes for level in profile.levels]
    sizes += [point.working_set_bytes for point in profile.points]
    sizes += [profile.machine.get("memory_bytes")]
    cpu = profile.machine.get("cpu")
    caches = cpu.get("caches") if isinstance(cpu, dict) else None
    sizes += [one.get("size_bytes") for one in caches or () if isinstance(one, dict)]
    for size in sizes:
        if isinstance(size, int | float) and not 0 < size <= LARGEST_SIZE:
            raise BadFile(
                f"{where}: a size of {str(size)[:30]} bytes cannot be: give 1 to {LARGEST_SIZE}"
            )
    for index, roof in enumerate(profile.roofs):
        if not roof.samples:
            raise BadFile(
                f"{where}.roofs[{index}].samples: empty: give samples, or remove the roof"
            )
        _positive(roof.samples, f"{where}.roofs[{index}].samples")
    if len(profile.levels) > MOST_LEVELS:
        raise BadFile(
            f"{where}.levels: {len(profile.levels)} are more than a memory has: give at most {MOST_LEVELS}"
        )
    for index, level in enumerate(profile.levels):
        _named(level.name, f"{where}.levels[{index}].name")
        _positive((level.bytes_per_s,), f"{where}.levels[{index}].bytes_per_s")
    keys: set[str] = set()
    for index, point in enumerate(profile.points):
        _sound_point(point, f"{where}.points[{index}]")
        if point.key in keys:
            raise BadFile(
                f"{where}.points[{index}]: {point.key} is there twice: remove one of them"
            )
        keys.add(point.key)


def _named(name: str, where: str) -> None:
    if len(name) > LONGEST_NAME:
        raise BadFile(
            f"{where}: a name of {len(name)} characters is too long: give at most {LONGEST_NAME}"
        )


def _sound_point(point: Point, where: str) -> None:
    _named(point.implementation, f"{where}.implementation")
    if point.status == "ok" and not point.seconds:
        raise BadFile(
            f"{where}.seconds: empty though the status is ok: give samples, or the status failed"
        )
    _positive(point.seconds, f"{where}.seconds")
    for name in records.PAIRED:
        _positive(getattr(point, name), f"{where}.{name}")
    if point.floor_seconds is not None:
        _positive((point.floor_seconds,), f"{where}.floor_seconds")
    for name, known in (
        ("flops", ("linear", "recurrent", "pointwise")),
        ("bytes", ("weights", "activations", "read", "written")),
        ("projection", ("linear", "read")),
    ):
        counts = getattr(point, name)
        if counts is None:
            continue
        for key in dict.fromkeys((*known, *counts)):
            if not 0 <= counts.get(key, -1) <= LARGEST:
                raise BadFile(
                    f"{where}.{name}.{key}: {counts.get(key)} is no count: give a whole number from 0"
                )
    if point.projection is not None:
        linear, read = (point.flops or {}).get("linear", 0), (point.bytes or {}).get("read", 0)
        if not (0 < point.projection["linear"] <= linear and 0 < point.projection["read"] <= read):
            raise BadFile(
                f"{where}.projection: no part of flops.linear and bytes.read: give one, or null"
            )


def _positive(samples: Sequence[float], where: str) -> None:
    for index, sample in enumerate(samples):
        if not SMALLEST <= sample <= LARGEST:
            raise BadFile(
                f"{where}[{index}]: {sample} cannot have been measured: remove the sample"
            )


def _in_folder(folder: Path) -> Path:
    for name in ("profile.json", "journal.jsonl"):
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"{folder}: holds no profile.json and no journal.jsonl: name a run's folder")


def _latest(runs: Path) -> Path:
    """`runs/latest` is a link, or a text file with a folder's name where links cannot be made."""
    link = runs / LATEST
    if link.is_dir():
        return link.resolve()
    try:
        name = link.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    if name and (runs / name).is_dir():
        return runs / name
    raise BadInput(f"{LATEST}: no run in {_shown(runs)} yet: measure one with `make report`")


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(HOME.parent))
    except ValueError:
        return str(path)
