"""Files from strangers: bounds before they are parsed, then every field held against a record's types.

Standard library only, and nothing that runs what it reads: JSON and TOML in, plain values out. A refusal is one clear
line that names file, field and mend. FORMAT.md lists the bounds.
"""

from __future__ import annotations

import json
import math
import stat
import types
import typing
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kernels.case import InvalidCase

MOST_VALUES = 8_000_000
"""Values in a file, counted by the commas and brackets that part them before any is made: a bare pair of brackets in
three bytes of text takes some seventy in memory."""
LONGEST_TEXT = 1 << 20
DEEPEST = 32
"""Bounds of a text in characters, of objects within objects."""
LONGEST_LINE = 480
"""Characters of a message."""

T = TypeVar("T")


class OneLine(ValueError):
    """An error whose message is one printable line, whatever a stranger put into it."""

    def __init__(self, message: str) -> None:
        """Keep `message` as `one_line` makes it."""
        super().__init__(one_line(message))


class BadFile(OneLine):
    """A file that cannot be read; the message names file, field and mend."""


def one_line(text: str) -> str:
    """One printable line for a terminal; too long a one without its middle."""
    text = text if len(text) <= 2 * LONGEST_LINE else text[:LONGEST_LINE] + text[-LONGEST_LINE:]
    text, half = printable(text), LONGEST_LINE // 2 - 5
    return text if len(text) <= LONGEST_LINE else f"{text[:half]} ... {text[-half:]}"


def printable(text: str) -> str:
    """Text with every character that steers a terminal, or is none, as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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


def bounded(given: str, where: str) -> str:
    """The same text, if the values in it are not too many to be held. Raises BadFile."""
    count = sum(map(given.count, ",[{"))
    if count > MOST_VALUES:
        raise BadFile(
            f"{where}: more than the {MOST_VALUES} values such a file may have: split the suite"
        )
    return given


def parsed(given: str) -> Any:
    """What a JSON text says, if that can be written again. Raises ValueError or RecursionError."""
    data = json.loads(given)
    if "\\ud" in given or "\\uD" in given:
        # A lone surrogate is no text, and could not be written again; it can only come as an escape.
        json.dumps(data, ensure_ascii=False).encode()
    return data


def read(kind: Any, data: object, where: str) -> Any:
    """A value of type `kind` from plain data, every field checked. Raises BadFile naming the field."""
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
        return read(next(a for a in arguments if a is not type(None)), data, where)
    if is_dataclass(kind):
        return _read_record(kind, data, where)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise _bad(where, data, "a list")
        if arguments[0] is float and all(type(item) is float for item in data):
            samples = tuple(data)
            if all(map(math.isfinite, samples)):
                return samples
        plain = _plain(arguments[0])
        return tuple(
            item if _stands(item, plain) else read(arguments[0], item, f"{where}[{index}]")
            for index, item in enumerate(data)
        )
    if origin is dict:
        if not isinstance(data, dict):
            raise _bad(where, data, "an object")
        for key in data:
            _short(key, where)
        plain = _plain(arguments[1])
        return {
            key: value if _stands(value, plain) else read(arguments[1], value, f"{where}.{key}")
            for key, value in data.items()
        }
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
    unknown = sorted(str(key) for key in data.keys() - hints.keys())
    if unknown:
        raise BadFile(f"{where}: unknown field {unknown[0][:60]!r}")
    values = {
        name: value
        if _stands(value, hints[name][1])
        else read(hints[name][0], value, f"{where}.{name}")
        for name, value in data.items()
    }
    try:
        return kind(**values)
    except InvalidCase as error:
        raise BadFile(f"{where}: {error}") from error
    except TypeError as error:
        missing = str(error).split(": ", 1)[-1]
        raise BadFile(f"{where}: missing {missing}") from error


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(kind), typing.get_args(kind)


@cache
def _hints(kind: type) -> dict[str, tuple[Any, frozenset[type]]]:
    """Of each field of a record, its type and what stands for itself there."""
    hints = typing.get_type_hints(kind)
    return {each.name: (hints[each.name], _plain(hints[each.name])) for each in fields(kind)}


@cache
def _plain(kind: Any) -> frozenset[type]:
    """The types whose values stand for themselves where `kind` is asked for."""
    origin, arguments = _parts(kind)
    asked = arguments if origin in (typing.Union, types.UnionType) else (kind,)
    return frozenset(asked) & {str, int, float, bool, type(None)}


def _stands(value: Any, plain: frozenset[type]) -> bool:
    """Whether a value is good as it is. Nearly all are, and a name for each costs more than the look at it."""
    found = type(value)
    if found not in plain:
        return False
    if found is float:
        return math.isfinite(value)
    return found is not str or len(value) <= LONGEST_TEXT


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _short(text: str, where: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise BadFile(
            f"{where[:200]}: a text of {len(text)} characters: give at most {LONGEST_TEXT}"
        )


def _finite(data: object, where: str, depth: int = 1) -> None:
    """Refuse numbers that are none, wherever they are in a free object: they could not be written again.

    Refuse texts that are too long and objects too deep, too.
    """
    if depth > DEEPEST:
        raise BadFile(f"{where[:200]}: nested deeper than {DEEPEST}: flatten it")
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


def _bad(where: str, data: object, wanted: str) -> BadFile:
    return BadFile(f"{where}: {repr(data)[:60]} is not {wanted}")
