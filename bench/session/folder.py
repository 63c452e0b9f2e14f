"""The folder of a run: a new one, one to go on with, and which is the latest."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.profile.errors import OneLine
from bench.profile.journal import Journal
from bench.profile.records import Profile

RUNS = Path(__file__).parents[2] / "reports" / "runs"
SUITE_FILE = "suite.toml"
"""The plan of a run, copied beside its journal, so that it can be resumed whatever becomes of the suite."""


class BadOutput(OneLine):
    """The run's folder cannot be used; the message names it and the mend."""


def new_folder(suite: str) -> Path:
    """A folder of its own for a run beginning now; one that is not there, wherever the clock was set."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder, times = RUNS / f"{stamp}-{suite}", 1
    while folder.exists():
        times += 1
        folder = RUNS / f"{stamp}-{suite}-{times}"
    return folder


def claim(folder: Path) -> None:
    """Make the folder of a new run. Raises BadOutput where it cannot be written or holds a run already."""
    try:
        _forget_a_beginning(folder / "journal.jsonl")
        if (folder / "journal.jsonl").exists() or (folder / "profile.json").exists():
            raise BadOutput(
                f"{folder}: it holds a run already: choose another --out, or --resume it"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".writable").open("wb"):
            pass
        (folder / ".writable").unlink()
    except OSError as error:
        raise BadOutput(
            f"{folder}: cannot be written: {error.strerror}: choose another --out"
        ) from error


def _forget_a_beginning(journal: Path) -> None:
    """Remove a journal that ends within its first line: its process was killed before anything was measured."""
    if journal.is_file():
        with journal.open("rb") as file:
            whole = file.readline().endswith(b"\n")
        if not whole:
            journal.unlink()


def open_journal(folder: Path, header: Profile, earlier: Profile | None) -> Journal:
    """The journal of a new run, or of the earlier one. Raises OSError."""
    if earlier is None:
        return Journal.start(folder, header)
    journal = Journal(folder)
    journal.resumed()
    return journal


def same(folder: Path, earlier: Profile, now: Profile) -> None:
    """Raise BadOutput where a resumed run would mix what another machine or other versions measured with its own."""
    if earlier.machine.get("id") != now.machine["id"]:
        label = earlier.machine.get("label")
        raise BadOutput(
            f"{folder}: its journal was measured on another machine ({label}): resume it there"
        )
    here, there = _versions(now), _versions(earlier)
    for name, version in here.items():
        if there.get(name) != version:
            raise BadOutput(
                f"{folder}: its journal was measured with {name} {there.get(name)}, and here it is {version}: "
                "go on with that one, or begin a new run"
            )


def only_planned(folder: Path, earlier: Profile, keys: Collection[str]) -> None:
    """Raise BadOutput where the journal holds a point that the folder's suite does not plan."""
    for point in earlier.points:
        if point.key not in keys:
            raise BadOutput(
                f"{folder}: its journal holds {point.key}, which its {SUITE_FILE} does not plan: put back the suite "
                "that it was measured by, or begin a new run"
            )


def _versions(profile: Profile) -> dict[str, Any]:
    """What a run must have in common with the one that it resumes."""
    project, environment = profile.project, profile.environment
    packages = environment.get("packages")
    return {
        "rnn-roofline": project.get("version"),
        "commit": project.get("commit"),
        "method": profile.method,
        "Python": environment.get("python"),
        **(packages if isinstance(packages, dict) else {}),
        "threads": environment.get("threads"),
    }


def point_latest(folder: Path) -> None:
    """`latest` beside the runs leads to this one, if it is among them: a link, or a file with its name."""
    if folder.resolve().parent != RUNS.resolve():
        return
    latest = RUNS / "latest"
    draft = RUNS / f".latest.{folder.name}"
    try:
        draft.symlink_to(folder.name)
    except OSError:
        draft.write_text(folder.name + "\n", encoding="utf-8")
    draft.replace(latest)
