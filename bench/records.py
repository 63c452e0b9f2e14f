"""The profile: what was observed on one machine in one run, as frozen records, and how they reach the disk.

Standard library only. Raw samples are stored, derived figures are computed on reading. Missing is None. The history of
the format is in FORMAT.md; a file of another schema is refused by name.
"""

from __future__ import annotations

import json
import math
import os
import types
import typing
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kernels.contract import Case, InvalidCase

SCHEMA = "rnn-roofline/1"
METHOD = 1
LARGEST_FILE_BYTES = 256 << 20
MOST_RECORDS = 100_000
LONGEST_TEXT = 1 << 20
DEEPEST = 32
"""Bounds on what is read: of each kind of record, of a text in characters, of objects within objects."""
STATUSES = ("ok", "failed", "skipped")

T = TypeVar("T")


class BadProfile(ValueError):
    """A profile that cannot be read; the message names file, field and mend in one line."""


@dataclass(frozen=True, slots=True)
class Roof:
    """Samples of one limit of the machine, all of them; the roof is the best of them.

    kind `read`, `write`, `copy`, `triad` are bandwidths over `working_set_bytes`, `matmul` is arithmetic, `floor` is an
    implementation's call without work, `call` the machine's emptiest call. `source` is measured or datasheet.
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


@dataclass(frozen=True, slots=True)
class Level:
    """A plateau of the read curve at all threads: a cache level or the memory behind them."""

    device: str
    name: str
    up_to_bytes: int | None
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Doubt:
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
    roof_bytes_per_s: tuple[float, ...] = ()
    roof_flop_per_s: tuple[float, ...] = ()
    floor_seconds: float | None = None
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
            msg = f"status {self.status[:60]!r} is unknown: use one of {', '.join(STATUSES)}"
            raise InvalidCase(msg)
        for name in ("roof_bytes_per_s", "roof_flop_per_s"):
            count = len(getattr(self, name))
            if count not in (0, len(self.seconds)):
                msg = f"{name} has {count} samples where seconds has {len(self.seconds)}: they pair by index"
                raise InvalidCase(msg)

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
    doubts: tuple[Doubt, ...] = ()


_KINDS: dict[str, type[Roof | Point | Doubt]] = {
    "roof": Roof,
    "point": Point,
    "doubt": Doubt,
}


class Journal:
    """The append-only record of a run, `journal.jsonl` in its folder: one line per finding, on disk before the next."""

    def __init__(self, folder: Path) -> None:
        """Open the journal of a folder that `start` or an earlier run made."""
        self._path = folder / "journal.jsonl"
        self._file = self._path.open("ab")

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

    def append(self, record: Roof | Point | Doubt) -> None:
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
        self._file.write(json.dumps(entry, allow_nan=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def from_journal(folder: Path) -> Profile:
    """The profile a journal tells so far.

    A last line cut short by a crash is left out; a later finding on the same point replaces an earlier one. Raises
    BadProfile.
    """
    path = folder / "journal.jsonl"
    lines = _text(path).split("\n")
    profile: Profile | None = None
    found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    levels: tuple[Level, ...] = ()
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        where = f"{path.name} line {number}"
        try:
            entry = json.loads(line)
            (kind,) = entry.keys()
        except (ValueError, AttributeError, RecursionError) as error:
            if number == len(lines):
                continue
            msg = f"{path}: line {number} is not a journal entry ({error}): delete the line"
            raise BadProfile(msg) from error
        if kind == "profile":
            profile = from_dict(entry[kind], where)
        elif kind in ("complete", "resumed") and profile is not None:
            resumed = kind == "resumed" or profile.resumed
            profile = replace(profile, complete=kind == "complete", resumed=resumed)
        elif kind == "levels":
            levels = _read(tuple[Level, ...], entry[kind], where)
        elif kind in _KINDS:
            if len(found[kind]) >= MOST_RECORDS:
                msg = f"{path}: more than {MOST_RECORDS} {kind}s: split the suite"
                raise BadProfile(msg)
            record: Any = read(_KINDS[kind], entry[kind], where)
            found[kind][_identity(record, number)] = record
        else:
            msg = f"{path}: line {number} has the unknown entry {kind!r}"
            raise BadProfile(msg)
    if profile is None:
        msg = f"{path}: no profile header: the run ended before it began"
        raise BadProfile(msg)
    roofs, points, doubts = (tuple(found[kind].values()) for kind in _KINDS)
    return replace(profile, roofs=roofs, levels=levels, points=points, doubts=doubts)


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
        data = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            # A lone surrogate is no text, and could not be written again; it can only come as an escape.
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        msg = f"{path}: not JSON ({error}): give a profile.json of this suite"
        raise BadProfile(msg) from error
    if isinstance(data, dict) and "benchmarks" in data:
        data = data.get("roofline")
    return from_dict(data, str(path))


def from_dict(data: object, where: str) -> Profile:
    """A profile from its JSON object. Raises BadProfile."""
    if not isinstance(data, dict) or not isinstance(data.get("schema"), str):
        msg = f"{where}: no profile of this suite: it has no `schema`"
        raise BadProfile(msg)
    if data["schema"] != SCHEMA:
        msg = f"{where}: schema {data['schema'][:60]!r} is not {SCHEMA!r}: read it with the version that wrote it"
        raise BadProfile(msg)
    if data.get("method") != METHOD:
        msg = f"{where}: method {data.get('method')!r} is not {METHOD}: profiles of different methods are not compared"
        raise BadProfile(msg)
    for name in ("roofs", "levels", "points", "doubts"):
        found = data.get(name)
        if isinstance(found, list) and len(found) > MOST_RECORDS:
            msg = f"{where}.{name}: {len(found)} are more than the {MOST_RECORDS} a profile may have: split the suite"
            raise BadProfile(msg)
    return read(Profile, data, where)


def read(cls: type[T], data: object, where: str) -> T:
    """A record of type `cls` from plain JSON, every field checked. Raises BadProfile naming the field."""
    return typing.cast("T", _read(cls, data, where))


def _read(kind: Any, data: object, where: str) -> Any:
    if kind is not float and type(data) is kind:
        if isinstance(data, str):
            _short(data, where)
        return data
    origin, arguments = _parts(kind)
    if kind is Any:
        _finite(data, where)
        return data
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        return _read(next(a for a in arguments if a is not type(None)), data, where)
    if is_dataclass(kind):
        return _read_record(kind, data, where)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise _bad(where, data, "a list")
        if arguments[0] is float and all(type(item) is float for item in data):
            samples = tuple(data)
            if all(map(math.isfinite, samples)):
                return samples
        return tuple(
            _read(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(data)
        )
    if origin is dict:
        if not isinstance(data, dict):
            raise _bad(where, data, "an object")
        for key in data:
            _short(key, where)
        return {key: _read(arguments[1], value, f"{where}.{key}") for key, value in data.items()}
    if (
        kind is float
        and isinstance(data, int | float)
        and not isinstance(data, bool)
        and _is_finite(data)
    ):
        return float(data)
    if (
        kind is not float
        and isinstance(data, kind)
        and (kind is bool or not isinstance(data, bool))
    ):
        return data
    raise _bad(
        where,
        data,
        {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}[
            kind.__name__
        ],
    )


def _read_record(kind: Any, data: object, where: str) -> Any:
    if not isinstance(data, dict):
        raise _bad(where, data, "an object")
    hints = _hints(kind)
    known = {f.name for f in fields(kind)}
    unknown = sorted(str(key) for key in data.keys() - known)
    if unknown:
        msg = f"{where}: unknown field {unknown[0][:60]!r}"
        raise BadProfile(msg)
    values = {name: _read(hints[name], value, f"{where}.{name}") for name, value in data.items()}
    try:
        return kind(**values)
    except InvalidCase as error:
        msg = f"{where}: {error}"
        raise BadProfile(msg) from error
    except TypeError as error:
        missing = str(error).split(": ", 1)[-1]
        msg = f"{where}: missing {missing}"
        raise BadProfile(msg) from error


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(kind), typing.get_args(kind)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _short(text: str, where: str) -> None:
    if len(text) > LONGEST_TEXT:
        msg = f"{where[:200]}: a text of {len(text)} characters: give at most {LONGEST_TEXT}"
        raise BadProfile(msg)


def _finite(data: object, where: str, depth: int = 1) -> None:
    """Refuse numbers that are none, wherever they are in a free object: they could not be written again.

    Refuse texts that are too long and objects too deep, too.
    """
    if depth > DEEPEST:
        msg = f"{where[:200]}: nested deeper than {DEEPEST}: flatten it"
        raise BadProfile(msg)
    if isinstance(data, str):
        _short(data, where)
    elif isinstance(data, dict):
        for key, value in data.items():
            _short(key, where)
            _finite(value, f"{where}.{key}", depth + 1)
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            _finite(value, f"{where}[{index}]", depth + 1)
    elif isinstance(data, float) and not math.isfinite(data):
        raise _bad(where, data, "a number")


def _bad(where: str, data: object, wanted: str) -> BadProfile:
    return BadProfile(f"{where}: {repr(data)[:60]} is not {wanted}")


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            msg = f"{path}: {size} bytes is more than the {LARGEST_FILE_BYTES} a profile may have"
            raise BadProfile(msg)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        msg = f"{path}: cannot be read: {reason}"
        raise BadProfile(msg) from error


def _without_findings(profile: Profile) -> dict[str, Any]:
    return asdict(replace(profile, roofs=(), levels=(), points=(), doubts=()))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _identity(record: Roof | Point | Doubt, number: int) -> str:
    """Findings with the same identity replace one another."""
    if isinstance(record, Point):
        return record.key
    if isinstance(record, Doubt):
        return f"{record.code} {record.about}"
    return str(number)
