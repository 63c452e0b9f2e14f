"""Suites: which cases by which implementations, as data in `suites/*.toml`, each group with the reason it is there.

why = "what this suite is for"
[settings]
precision = 0.04        # half-width of the 95 % interval of the median fraction at which a point is done
budget_seconds = 0.7    # of alternating samples per point, if that precision is not reached before
curve_seconds = 6.0     # for the read curve
longest_call_seconds = 2.0   # a sequence whose one call takes longer is skipped
[[group]]
why = "what these cases show"
cell = ["lstm"]         # lists are combined, every one with every other
hidden = [1024]
batch = [1, 2, 4]
residency = ["resident", "streamed"]
implementation = ["torch_cell"]
# and, where the default will not do: device (every one that is asked for), input (as hidden), part ("cell"),
# phase ("step"), dtype ("float32"), activations (as the dtype; float32 for int8), threads ("all"), steps (1)
"""

from __future__ import annotations

import itertools
import json
import math
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.profile import reader
from bench.profile.errors import BadFile
from bench.profile.records import MOST_RECORDS
from kernels import implementations
from kernels.case import (
    ACTIVATIONS,
    ALL,
    CELLS,
    DEVICES,
    PARTS,
    PHASES,
    RESIDENCIES,
    Case,
    InvalidCase,
    Unavailable,
)

FOLDER = Path(__file__).parents[1] / "suites"
DEFAULT, DEFAULT_CUDA = "quick", "gpu"
LARGEST_FILE_BYTES = 1 << 15
"""Python's TOML reader takes seconds over a key of so many dots, and time goes with their square."""
SETTINGS = {
    "precision": 0.04,
    "budget_seconds": 0.7,
    "curve_seconds": 2.5,
    "longest_call_seconds": 2.0,
}
AXES: dict[str, list[Any]] = {
    "device": ["any"],
    "cell": list(CELLS),
    "hidden": [],
    "input": ["hidden"],
    "batch": [1],
    "part": list(PARTS[:1]),
    "phase": list(PHASES[:1]),
    "dtype": ["float32"],
    "activations": ["dtype"],
    "residency": list(RESIDENCIES[:1]),
    "threads": ["all"],
    "steps": [1],
    "implementation": [],
}
REQUIRED = ("hidden", "implementation")


@dataclass(frozen=True, slots=True)
class Planned:
    """One point to measure."""

    case: Case
    implementation: str

    @property
    def key(self) -> str:
        """The key its point will have."""
        return f"{self.case.id}-{self.implementation}"


@dataclass(frozen=True, slots=True)
class Suite:
    """A plan: its name, its settings, and its points in the order in which they will run."""

    name: str
    why: str
    settings: dict[str, float]
    points: tuple[Planned, ...] = field(repr=False)
    text: str | None = field(default=None, repr=False)
    """The file it is planned by; None where there is none."""


def names() -> list[str]:
    """The suites that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str, device: str, all_threads: int, seed: int, instead: Sequence[str] = ()) -> Suite:
    """The suite of that name, or in that .toml file, for one device or `all`. Raises BadFile.

    A group that names devices is left out for others; one device's points come after the other's.

    `instead` of the implementations that its groups name, all their cases are planned for these; its text says so.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise BadFile(f"suite {name!r} is unknown: use {', '.join(names())} or a .toml file")
    try:
        text = reader.text(path, LARGEST_FILE_BYTES)
        data = tomllib.loads(text)
        if instead:
            if "implementation" in data:
                raise BadFile(
                    f"{path}: it says itself which implementations to use in place of its groups'"
                )
            data["implementation"] = list(instead)
            text = f"implementation = {json.dumps(list(instead), ensure_ascii=False)}\n{text}"
    except (
        ValueError,
        RecursionError,
    ) as error:  # no TOML, a number of thousands of digits, too deep
        raise BadFile(f"{path}: cannot be read: {error}") from error
    _only(data, {"why", "settings", "group", "implementation"}, str(path))
    settings = _settings(data.get("settings", {}), str(path))
    groups = data.get("group")
    if not isinstance(groups, list) or not groups:
        raise BadFile(f"{path}: no [[group]] of cases")
    planned: dict[str, Planned] = {}
    count = 0
    for number, group in enumerate(groups, 1):
        where = f"{path} group {number}"
        if isinstance(group, dict) and "implementation" in data:
            group["implementation"], where = data["implementation"], str(path)
        axes = _axes(group, where)
        count += math.prod(map(len, axes.values()))
        if count > MOST_RECORDS:
            raise BadFile(
                f"{where}: its points are more than the {MOST_RECORDS} of a profile: split the suite"
            )
        for point in _points(axes, device, all_threads, where):
            planned.setdefault(point.key, point)
    _why(data, str(path), "say what this suite is for")
    if not planned:
        raise BadFile(f"{path}: all its groups are for other devices than {device}")
    return Suite(path.stem, data["why"], settings, _order(list(planned.values()), seed), text)


def _settings(given: object, where: str) -> dict[str, float]:
    if not isinstance(given, dict):
        raise BadFile(f"{where}: settings is not a table")
    _only(given, set(SETTINGS), f"{where} settings")
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise BadFile(f"{where} settings: {key} {value!r} is not a positive number")
    return {**SETTINGS, **{key: float(value) for key, value in given.items()}}


def _axes(group: object, where: str) -> dict[str, list[Any]]:
    """Every axis with its values, those left out too."""
    if not isinstance(group, dict):
        raise BadFile(f"{where}: not a table")
    _only(group, {"why", *AXES}, where)
    _why(group, where, "say what these cases show")
    axes = {}
    for axis, default in AXES.items():
        values = group.get(axis, default)
        values = values if isinstance(values, list) else [values]
        if not values:
            raise BadFile(
                f"{where}: {axis} is missing" if axis in REQUIRED else f"{where}: {axis} is empty"
            )
        axes[axis] = values
    try:
        axes["implementation"] = [
            implementations.named(str(name)) for name in axes["implementation"]
        ]
    except Unavailable as error:
        raise BadFile(f"{where}: {error}") from error
    return axes


def _points(axes: dict[str, list[Any]], device: str, all_threads: int, where: str) -> list[Planned]:
    points = []
    asked = DEVICES if device == ALL else (device,)
    named = axes["device"] if axes["device"] != ["any"] else asked
    if unknown := [one for one in named if one not in DEVICES]:
        raise BadFile(f"{where}: device {unknown[0]!r} is unknown: use one of {', '.join(DEVICES)}")
    for on in (one for one in asked if one in named):
        for combination in itertools.product(*axes.values()):
            one = dict(zip(axes, combination, strict=True))
            points.append(Planned(_case(one, on, all_threads, where), one["implementation"]))
    return points


def _case(one: dict[str, Any], device: str, all_threads: int, where: str) -> Case:
    count = all_threads if one["threads"] == "all" else one["threads"]
    if isinstance(count, int) and not 1 <= count <= all_threads:
        raise BadFile(
            f"{where}: threads {count} is out of range: this machine has 1 to {all_threads}"
        )
    try:
        return Case(
            cell=one["cell"],
            hidden=one["hidden"],
            input=one["hidden"] if one["input"] == "hidden" else one["input"],
            batch=one["batch"],
            part=one["part"],
            phase=one["phase"],
            dtype=one["dtype"],
            activations=ACTIVATIONS.get(one["dtype"], "float32")
            if one["activations"] == "dtype"
            else one["activations"],
            residency=one["residency"],
            device=device,
            threads=count if device == "cpu" else 0,
            steps=one["steps"],
        )
    except (InvalidCase, TypeError) as error:
        raise BadFile(f"{where}: {error}") from error


def _why(table: dict[str, Any], where: str, mend: str) -> None:
    if not isinstance(table.get("why"), str) or not table["why"].strip():
        raise BadFile(f"{where}: no why: {mend}")


def _order(points: list[Planned], seed: int) -> tuple[Planned, ...]:
    """Cases in seeded random order, so that a drift falls on all alike; the contestants of one case side by side.

    A CPU's come first: a GPU that is lost takes none of them along.
    """
    chance = random.Random(seed)
    chance.shuffle(points)
    of_case: dict[Case, list[Planned]] = {}
    for point in points:
        of_case.setdefault(point.case, []).append(point)
    ordered = [point for group in of_case.values() for point in group]
    return tuple(sorted(ordered, key=lambda point: DEVICES.index(point.case.device)))


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise BadFile(f"{where}: unknown key {unknown[0]!r}: use {', '.join(sorted(known))}")
