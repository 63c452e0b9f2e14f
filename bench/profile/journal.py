"""What a run writes: its journal, line by line while it measures, and the profile that a journal tells."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bench.profile import reader, schema
from bench.profile.errors import BadFile
from bench.profile.records import MOST_RECORDS, Level, Levels, Point, Profile, Roof, RunWarning

KINDS: dict[str, type[Roof | Point | RunWarning]] = {
    "roof": Roof,
    "point": Point,
    "warning": RunWarning,
}
"""What a journal holds a line of, by the line's key."""


OF_SWEEPS = ("roof left out",)
"""Codes of warnings that a sweep makes: the others are made when a run ends."""


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
        journal._line({"profile": replace(header, roofs=(), levels=(), points=(), warnings=())})
        return journal

    def levels(self, found: tuple[Level, ...]) -> None:
        """The levels as now known; they replace all that were noted before."""
        self._line({"levels": found})

    def append(self, record: Roof | Point | RunWarning) -> None:
        """One finding, flushed to the disk."""
        self._line({name: record for name, kind in KINDS.items() if isinstance(record, kind)})

    def resumed(self) -> None:
        """Mark that a later process goes on from here. A last line without its end is ended if whole, else cut off."""
        whole = self._path.read_bytes()
        last = whole[whole.rfind(b"\n") + 1 :]
        try:
            if last:
                _entry(last)
                self._file.write(b"\n")
        except (ValueError, RecursionError):
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
        line = _json(entry) + b"\n"
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
    BadFile.
    """
    path = folder / "journal.jsonl"
    profile: Profile | None = None
    found: dict[str, dict[Any, Any]] = {kind: {} for kind in KINDS}
    levels: tuple[Level, ...] = ()
    # one after the other: all lines at once would take many times the text
    lines = (match[0] for match in re.finditer(r".*\n|.+", reader.json_text(path)))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            kind, said = _entry(line)
        except (ValueError, RecursionError) as error:
            if not line.endswith("\n"):
                continue
            raise BadFile(
                f"{path}: line {number} is not a journal entry ({error}): delete the line"
            ) from error
        if kind == "profile":
            if isinstance(said, dict) and str(said.get("schema")) in schema.MIGRATIONS:
                raise BadFile(
                    f"{path}: an older version's journal: read its profile.json, or go on with that version"
                )
            profile = reader.from_dict(said, where)
        elif kind in ("complete", "resumed") and profile is not None:
            if (
                kind == "resumed"
            ):  # what was seen at the end of a run is looked at again when it ends anew
                found["warning"] = {
                    name: one for name, one in found["warning"].items() if one.code in OF_SWEEPS
                }
            resumed = kind == "resumed" or profile.resumed
            profile = replace(profile, complete=kind == "complete", resumed=resumed)
        elif kind == "levels":
            levels = reader.typed(Levels, said, where)
        elif kind in KINDS:
            if len(found[kind]) >= MOST_RECORDS:
                raise BadFile(f"{path}: more than {MOST_RECORDS} {kind}s: split the suite")
            record = reader.typed(KINDS[kind], said, where)
            found[kind][_identity(record, number)] = record
        else:
            raise BadFile(f"{path}: line {number} has the unknown entry {kind!r}")
    if profile is None:
        raise BadFile(f"{path}: no profile header: the run ended before it began")
    roofs, points, warnings = (tuple(found[kind].values()) for kind in KINDS)
    profile = replace(profile, roofs=roofs, levels=levels, points=points, warnings=warnings)
    reader.sound(profile, path.name)
    return profile


def write_profile(profile: Profile, folder: Path) -> Path:
    """Write `profile.json` whole or not at all. Returns its path."""
    path = folder / "profile.json"
    draft = folder / f".profile.json.{os.getpid()}"
    try:
        with draft.open("wb") as file:
            file.write(msgspec.json.format(_json(profile), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _json(value: object) -> bytes:
    """Records as JSON on one line. Raises ValueError for a number that is none, which msgspec would write as null."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()


def _entry(line: str | bytes) -> tuple[str, Any]:
    """Key and value of a journal's line. Raises ValueError or RecursionError."""
    (entry,) = msgspec.json.decode(line, type=dict[str, Any]).items()
    return entry


def _identity(record: Roof | Point | RunWarning, number: int) -> object:
    """Findings with the same identity replace one another."""
    if isinstance(record, Point):
        return record.key
    return (record.code, record.about) if isinstance(record, RunWarning) else number
