"""Reading files of strangers: bounds before they are parsed, then every field held against a record's types.

JSON and TOML in, records out; nothing that runs what it reads. A refusal is one clear line that names file, field and
mend. FORMAT.md lists the bounds.
"""

import stat
import typing
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench.profile import schema
from bench.profile.errors import BadFile
from bench.profile.records import KNOWN, LONGEST_TEXT, Point, Profile

LARGEST_FILE_BYTES = 128 << 20
"""Of a profile or a journal."""
MOST_VALUES = 8_000_000
"""Values in a file, counted by the commas and brackets that part them before any is made: a bare pair of brackets in
three bytes of text takes some seventy in memory."""
DEEPEST = 32
"""Objects within objects, where a record leaves it to its writer what they hold."""
COUNTS = {
    "flops": ("linear", "recurrent", "pointwise"),
    "bytes": ("weights", "activations", "read", "written"),
    "projection": ("linear", "read"),
    "products": ("count", "flops"),
}
"""Fields of a point that count, with what each counts at least."""

T = TypeVar("T")


def load(path: Path) -> Profile:
    """Read a profile file, or a pytest-benchmark JSON that carries one under `roofline`. Raises BadFile."""
    given = json_text(path)
    try:
        data = msgspec.json.decode(given)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path}: not JSON ({error}): give a profile.json of this suite") from error
    if isinstance(data, dict) and "benchmarks" in data:
        data = data.get("roofline")
    return from_dict(data, str(path))


def from_dict(data: object, where: str) -> Profile:
    """A profile from its JSON object, of today's schema or an older one. Raises BadFile."""
    profile = typed(Profile, schema.migrated(data, where), where)
    _known(profile, where)
    sound(profile, where)
    return profile


def sound(profile: Profile, where: str) -> None:
    """Refuse points that could not be reported, which no type of a field tells. Raises BadFile."""
    keys: set[str] = set()
    for index, point in enumerate(profile.points):
        at = f"{where}.points[{index}]"
        _known(point, at)
        if point.status == "ok" and not point.seconds:
            raise BadFile(
                f"{at}.seconds: empty though the status is ok: give samples, or the status failed"
            )
        for name, known in COUNTS.items():
            counts = getattr(point, name)
            for key in known if counts is not None else ():
                if key not in counts:
                    raise BadFile(f"{at}.{name}.{key}: missing: give a whole number from 0")
        if point.projection is not None:
            of_each = (point.flops or {}).get("linear", 0), (point.bytes or {}).get("read", 0)
            shares = point.projection["linear"], point.projection["read"]
            if not all(0 < share <= whole for share, whole in zip(shares, of_each, strict=True)):
                raise BadFile(
                    f"{at}.projection: no part of flops.linear and bytes.read: give one, or null"
                )
        if point.key in keys:
            raise BadFile(f"{at}: {point.key} is there twice: remove one of them")
        keys.add(point.key)


def text(path: Path, most_bytes: int) -> str:
    """A file's text, none of it read where it is too large or no file. Raises BadFile."""
    try:
        about = path.stat()
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            raise BadFile(f"{path}: cannot be read: a device or a pipe, no file")
        if stat.S_ISREG(about.st_mode) and about.st_size > most_bytes:
            raise BadFile(
                f"{path}: {about.st_size} bytes is more than the {most_bytes} such a file may have"
            )
        with path.open("rb") as file:
            raw = file.read(about.st_size)  # no more, though it may be growing
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BadFile(f"{path}: cannot be read: {reason}") from error


def json_text(path: Path) -> str:
    """The text of a profile or a journal, if the values in it are not too many to be held. Raises BadFile."""
    given = text(path, LARGEST_FILE_BYTES)
    if sum(map(given.count, ",[{")) > MOST_VALUES:
        raise BadFile(
            f"{path}: more than the {MOST_VALUES} values such a file may have: split the suite"
        )
    return given


def typed(kind: type[T], data: object, where: str, strict: bool = True) -> T:
    """A value of type `kind` from plain data, every field checked. Raises BadFile naming the field.

    `strict` refuses a text where a number is asked for, as nothing but a table of texts may hold.
    """
    _look(_held(kind), data, where)
    try:
        return msgspec.convert(data, kind, strict=strict)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$")
        raise BadFile(f"{where}{place[:200].rstrip('`')}: {said.replace('`', '')}") from error


def _known(record: Profile | Point, where: str) -> None:
    """Hold the known fields of a record's free objects against their types."""
    for name, kind in KNOWN.items():
        if (free := getattr(record, name, None)) is not None:
            typed(kind, free, f"{where}.{name}")


def _look(kind: Any, data: object, where: str) -> None:
    """Refuse what msgspec lets pass: fields that a dataclass has not, free objects without bounds."""
    if kind is Any:
        _bounded(data, where)
    elif isinstance(data, list) and kind is not None:
        names, holders = _fields(kind)
        for index, item in enumerate(data):
            if isinstance(item, dict) and (holders or not item.keys() <= names):
                _look(kind, item, f"{where}[{index}]")
    elif isinstance(data, dict) and kind is not None:
        names, holders = _fields(kind)
        if unknown := data.keys() - names:
            raise BadFile(f"{where}: unknown field {min(map(str, unknown))[:60]!r}")
        for name, held in holders:
            if name in data:
                _look(held, data[name], f"{where}.{name}")


@cache
def _fields(kind: Any) -> tuple[frozenset[str], list[tuple[str, Any]]]:
    """The names of a record's fields; and of those that hold records or free objects, what they hold."""
    held = {name: _held(hint) for name, hint in typing.get_type_hints(kind).items()}
    return frozenset(held), [(name, what) for name, what in held.items() if what is not None]


def _held(hint: Any) -> Any:
    """The kind of record that a type holds, Any where it holds free objects, None where it holds neither."""
    if hint is Any or is_dataclass(hint):
        return hint
    found = map(_held, typing.get_args(hint))
    return next((one for one in found if one is not None), None)


def _bounded(data: object, where: str, depth: int = 1) -> None:
    """Refuse free objects that are too deep, and texts in them that are too long."""
    if depth > DEEPEST:
        raise BadFile(f"{where[:200]}: nested deeper than {DEEPEST}: flatten it")
    if isinstance(data, str) and len(data) > LONGEST_TEXT:
        raise BadFile(
            f"{where[:200]}: a text of {len(data)} characters: give at most {LONGEST_TEXT}"
        )
    if isinstance(data, dict):
        for key, value in data.items():
            _bounded(key, where, depth)
            _bounded(value, f"{where}.{key}", depth + 1)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            _bounded(value, f"{where}[{index}]", depth + 1)
