"""The profile: what was observed on one machine in one run, as frozen records, and how they reach the disk.

Standard library only. Raw samples are stored, derived figures are computed on reading. Missing is None. The history of
the format is in FORMAT.md; a file of another schema is refused by name.
"""

from __future__ import annotations

import errno
import json
import os
import typing
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from bench.profile import reader
from kernels.case import Case, InvalidCase

SCHEMA = "rnn-roofline/2"
METHOD = 2
LARGEST_FILE_BYTES = 128 << 20
MOST_RECORDS = 100_000
"""Of each kind in one profile."""


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 called warnings doubts."""
    renamed = {"warnings" if name == "doubts" else name: value for name, value in data.items()}
    return {**renamed, "schema": "rnn-roofline/2"}


MIGRATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"rnn-roofline/1": _from_1}
"""By an older schema: from a profile's JSON object to the next schema's. A field added with a default needs none."""
PAIRED = ("roof_bytes_per_s", "roof_write_bytes_per_s", "roof_flop_per_s")
"""Samples of roofs beside a point's: each list as long as `seconds`, or empty where that roof was not sampled."""
SENTINEL = "sentinel"
MEMORY, LARGEST_SET = "DRAM", "largest set"
"""What the last level is called: by the second name where the curve still fell at its end."""
STATUSES = ("ok", "failed", "skipped")

T = TypeVar("T")


class BadProfile(reader.OneLine):
    """A profile that cannot be read; the message names file, field and mend."""


@dataclass(frozen=True, slots=True)
class Roof:
    """Samples of one limit of the machine, all of them; the roof is the best of them.

    kind `read`, `write`, `copy`, `triad` are bandwidths over `working_set_bytes`, `matmul` is arithmetic, `floor` is an
    implementation's call without work, `call` the machine's emptiest call; `sentinel` is a single look at the read roof
    of memory, to see whether it drifted, and no part of a curve. `source` is measured or datasheet. Records of one
    `sweep` took turns, round by round: their samples pair by index.
    """

    device: str
    kind: str
    source: str
    dtype: str | None
    working_set_bytes: int | None
    page_bytes: int | None
    threads: int | None
    implementation: str
    unit: str
    samples: tuple[float, ...]
    at: tuple[str, ...]
    sweep: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A plateau of the read curve at all threads: a cache level or the memory behind them."""

    device: str
    name: str
    up_to_bytes: int | None
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class RunWarning:
    """What the suite itself holds against a figure: about which (`run` or a point's key), and what to do."""

    code: str
    about: str
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class Point:
    """One case by one implementation. `seconds` are per step and pair by index with the roof samples beside them.

    `projection` is the share of `flops` and `bytes` that a sequence spends on the products of its inputs before the
    first step, where W is hoisted: {"linear", "read"}.
    """

    case: Case
    implementation: str
    status: str
    reason: str | None = None
    version: str | None = None
    order: int | None = None
    at: str | None = None
    seconds: tuple[float, ...] = ()
    steps_per_sample: int | None = None
    single_step_seconds: dict[str, float] | None = None
    roof_walk: dict[str, int] | None = None
    roof_bytes_per_s: tuple[float, ...] = ()
    roof_write_bytes_per_s: tuple[float, ...] = ()
    roof_flop_per_s: tuple[float, ...] = ()
    floor_seconds: float | None = None
    launch_seconds: float | None = None
    joules: float | None = None
    flops: dict[str, int] | None = None
    bytes: dict[str, int] | None = None
    projection: dict[str, int] | None = None
    counted_bytes: dict[str, Any] | None = None
    reads: dict[str, str] | None = None
    weight_sets: int | None = None
    working_set_bytes: int | None = None
    page_bytes: int | None = None
    own_weights: bool | None = None
    rounds_to: str | None = None
    prepare_seconds: float | None = None
    error: float | None = None
    tolerance: float | None = None
    state: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Samples pair by index, and a status is one of three. Raises InvalidCase."""
        if self.status not in STATUSES:
            raise InvalidCase(
                f"status {self.status[:60]!r} is unknown: use one of {', '.join(STATUSES)}"
            )
        for name in PAIRED:
            count = len(getattr(self, name))
            if count not in (0, len(self.seconds)):
                raise InvalidCase(
                    f"{name} has {count} samples where seconds has {len(self.seconds)}: they pair by index"
                )

    @property
    def key(self) -> str:
        """What identifies a point within a profile."""
        return f"{self.case.id}-{self.implementation}"

    @property
    def fetched(self) -> tuple[str, ...]:
        """Which of W and U every step must fetch: points that differ in it do not do the same work."""
        if self.case.steps == 1 or self.reads is None:
            return "W", "U"
        return tuple(name for name in ("W", "U") if self.reads.get(name) == "per_step")

    @property
    def on_chip(self) -> bool:
        """Whether it is a sequence that declares to read U once a call: no step of it waits for weights."""
        return self.case.steps > 1 and "U" not in self.fetched

    @property
    def projected(self) -> tuple[float, float]:
        """The shares of the bytes read and of the linear FLOPs that are over before a sequence's first step."""
        if self.projection is None or self.flops is None or self.bytes is None:
            return 0.0, 0.0
        read, linear = self.bytes["read"], self.flops["linear"]
        return self.projection["read"] / read, self.projection["linear"] / linear


@dataclass(frozen=True, slots=True)
class Profile:
    """One machine's roofs and points of one run. FORMAT.md documents every field."""

    created: str
    suite: str
    seed: int
    project: dict[str, Any]
    machine: dict[str, Any]
    environment: dict[str, Any]
    schema: str = SCHEMA
    method: int = METHOD
    origin: str = "measured"
    settings: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    resumed: bool = False
    roofs: tuple[Roof, ...] = ()
    levels: tuple[Level, ...] = ()
    points: tuple[Point, ...] = ()
    warnings: tuple[RunWarning, ...] = ()


_KINDS: dict[str, type[Roof | Point | RunWarning]] = {
    "roof": Roof,
    "point": Point,
    "warning": RunWarning,
}


class Journal:
    """The append-only record of a run, `journal.jsonl` in its folder: one line per finding, on disk before the next."""

    def __init__(self, folder: Path) -> None:
        """Open the journal of a folder that `start` or an earlier run made."""
        self._path = folder / "journal.jsonl"
        self._file = self._path.open("ab", buffering=0)

    @classmethod
    def start(cls, folder: Path, header: Profile) -> Journal:
        """A new run's journal. Raises FileExistsError where the folder holds one already."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "journal.jsonl").open("xb"):
            pass
        journal = cls(folder)
        journal._line({"profile": _without_findings(header)})
        return journal

    def levels(self, found: tuple[Level, ...]) -> None:
        """The levels as now known; they replace all that were noted before."""
        self._line({"levels": [asdict(level) for level in found]})

    def append(self, record: Roof | Point | RunWarning) -> None:
        """One finding, flushed to the disk."""
        kind = next(name for name, cls in _KINDS.items() if isinstance(record, cls))
        self._line({kind: asdict(record)})

    def resumed(self) -> None:
        """Mark that a later process goes on from here. A last line without its end is ended if whole, else cut off."""
        whole = self._path.read_bytes()
        last = whole[whole.rfind(b"\n") + 1 :]
        if last and _is_json(last):
            self._file.write(b"\n")
        elif last:
            self._file.truncate(len(whole) - len(last))
        self._line({"resumed": True})

    def complete(self) -> None:
        """Mark that every planned point has its record."""
        self._line({"complete": True})

    def close(self) -> None:
        """Close the file; nothing is buffered."""
        self._file.close()

    def _line(self, entry: dict[str, Any]) -> None:
        """On the disk, whole or not at all. Raises OSError where it cannot be, or where the file was deleted."""
        line = json.dumps(entry, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        before = os.fstat(self._file.fileno()).st_size
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]  # a full disk takes a part
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(before)
            raise
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "it was deleted while it was written")


def from_journal(folder: Path) -> Profile:
    """The profile a journal tells so far.

    A last line cut short by a crash is left out; a later finding on the same point replaces an earlier one. Raises
    BadProfile.
    """
    path = folder / "journal.jsonl"
    lines = _lines(_text(path))
    profile: Profile | None = None
    found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    levels: tuple[Level, ...] = ()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            entry = reader.parsed(line)
            (kind,) = entry.keys()
        except (ValueError, AttributeError, RecursionError) as error:
            if not line.endswith("\n"):
                continue
            raise BadProfile(
                f"{path}: line {number} is not a journal entry ({error}): delete the line"
            ) from error
        if kind == "profile":
            if isinstance(entry[kind], dict) and entry[kind].get("schema") in MIGRATIONS:
                raise BadProfile(
                    f"{path}: an older version's journal: read its profile.json, or go on with that version"
                )
            profile = from_dict(entry[kind], where)
        elif kind in ("complete", "resumed") and profile is not None:
            resumed = kind == "resumed" or profile.resumed
            profile = replace(profile, complete=kind == "complete", resumed=resumed)
        elif kind == "levels":
            levels = read(tuple[Level, ...], entry[kind], where)
        elif kind in _KINDS:
            if len(found[kind]) >= MOST_RECORDS:
                raise BadProfile(f"{path}: more than {MOST_RECORDS} {kind}s: split the suite")
            record: Any = read(_KINDS[kind], entry[kind], where)
            found[kind][_identity(record, number)] = record
        else:
            raise BadProfile(f"{path}: line {number} has the unknown entry {kind!r}")
    if profile is None:
        raise BadProfile(f"{path}: no profile header: the run ended before it began")
    roofs, points, warnings = (tuple(found[kind].values()) for kind in _KINDS)
    return replace(profile, roofs=roofs, levels=levels, points=points, warnings=warnings)


def write(profile: Profile, folder: Path) -> Path:
    """Write `profile.json` whole or not at all. Returns its path."""
    path = folder / "profile.json"
    draft = folder / f".profile.json.{os.getpid()}"
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(profile), file, allow_nan=False, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def load(path: Path) -> Profile:
    """Read a profile file, or a pytest-benchmark JSON that carries one under `roofline`. Raises BadProfile."""
    text = _text(path)
    try:
        data = reader.parsed(text)
    except (ValueError, RecursionError) as error:
        raise BadProfile(
            f"{path}: not JSON ({error}): give a profile.json of this suite"
        ) from error
    if isinstance(data, dict) and "benchmarks" in data:
        data = data.get("roofline")
    return from_dict(data, str(path))


def from_dict(data: object, where: str) -> Profile:
    """A profile from its JSON object. Raises BadProfile."""
    if not isinstance(data, dict) or not isinstance(data.get("schema"), str):
        raise BadProfile(f"{where}: no profile of this suite: it has no `schema`")
    data = _migrated(data, where)
    method = data.get("method")
    if not isinstance(method, int) or isinstance(method, bool) or not 1 <= method <= METHOD:
        mend = "update this version" if isinstance(method, int) and method > METHOD else "give one"
        raise BadProfile(
            f"{where}: method {reader.one_line(repr(method))} is none of 1 to {METHOD}: {mend}"
        )
    for name in ("roofs", "levels", "points", "warnings"):
        found = data.get(name)
        if isinstance(found, list) and len(found) > MOST_RECORDS:
            raise BadProfile(
                f"{where}.{name}: {len(found)} are more than the {MOST_RECORDS} a profile may have: split the suite"
            )
    return read(Profile, data, where)


def _migrated(data: dict[str, Any], where: str) -> dict[str, Any]:
    """The object in today's schema. Raises BadProfile for a newer schema, and for one nobody knows."""
    while (schema := data["schema"]) != SCHEMA:
        if schema not in MIGRATIONS:
            kind, _, number = schema.rpartition("/")
            ours, _, today = SCHEMA.rpartition("/")
            newer = kind == ours and number.isdecimal() and int(number[:9]) > int(today)
            mend = "newer than this version reads: update it" if newer else "none of this suite's"
            raise BadProfile(f"{where}: schema {schema[:60]!r} is not {SCHEMA!r}: it is {mend}")
        data = MIGRATIONS[schema](data)
    return data


def read(cls: type[T], data: object, where: str) -> T:
    """A record of type `cls` from plain JSON, every field checked. Raises BadProfile naming the field."""
    try:
        return typing.cast("T", reader.read(cls, data, where))
    except reader.BadFile as error:
        raise BadProfile(str(error)) from error


def _text(path: Path) -> str:
    try:
        return reader.bounded(reader.text(path, LARGEST_FILE_BYTES), str(path))
    except reader.BadFile as error:
        raise BadProfile(str(error)) from error


def _lines(text: str) -> Iterator[str]:
    """Line by line, ends kept: all of them at once would take many times the text."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _without_findings(profile: Profile) -> dict[str, Any]:
    return asdict(replace(profile, roofs=(), levels=(), points=(), warnings=()))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _identity(record: Roof | Point | RunWarning, number: int) -> str:
    """Findings with the same identity replace one another."""
    if isinstance(record, Point):
        return record.key
    if isinstance(record, RunWarning):
        return f"{record.code} {record.about}"
    return str(number)
