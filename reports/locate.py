"""What a PROFILE argument stands for: a file, a run folder, a gallery name, or `latest`."""

import sys
from pathlib import Path

from bench.profile import reader
from bench.profile.errors import OneLine
from bench.profile.journal import from_journal
from bench.profile.records import Profile

HOME = Path(__file__).resolve().parent
CHECKOUT = HOME.parent
LATEST = "latest"
RECORDS = ("profile.json", "journal.jsonl")
"""Files of which a run's folder has one at least."""


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
    return profile, path.parent


def runs(argument: str) -> list[str]:
    """The runs that an argument stands for: itself, or the runs' folders that a folder holds, and nothing but those.

    So `bench repeat` writes a side: DIR/1, DIR/2 and on, each with a profile.json or a journal.jsonl.
    """
    folder = Path(argument)
    try:
        if not folder.is_dir() or holds(folder):
            return [argument]
        inside = sorted(
            (one for one in folder.iterdir() if one.is_dir()), key=lambda one: in_order(one.name)
        )
        return [str(one) for one in inside] if inside and all(map(holds, inside)) else [argument]
    except OSError:  # what it is, `find` says
        return [argument]


def gallery(home: Path = HOME) -> list[str]:
    """The names under which the gallery keeps profiles, in order."""
    return sorted(path.parent.name for path in (home / "gallery").glob("*/profile.json"))


def shown(path: Path) -> str:
    """A path as others may see it: that within the checkout; elsewhere its last name, what leads there left out."""
    whole = path.resolve()
    inside = whole.is_relative_to(CHECKOUT)
    return whole.relative_to(CHECKOUT).as_posix() if inside else f".../{whole.name}"


def holds(folder: Path) -> bool:
    """Whether it is a run's folder."""
    return any((folder / name).is_file() for name in RECORDS)


def in_order(name: str) -> tuple[int, str]:
    """1, 2, 10 as numbers, and other names after them."""
    return (int(name), "") if name.isdecimal() else (sys.maxsize, name)


def _in_folder(folder: Path) -> Path:
    for name in RECORDS:
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
    raise BadInput(f"{LATEST}: no run in {shown(runs)} yet: measure one with `make report`")
