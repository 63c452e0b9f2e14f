"""Suites: which cases by which implementations, as data in `suites/*.toml`, each group with the reason it is there.

why = "what this suite is for"
order = "seeded"        # at random; "written": as the groups stand here, for a run that may be cut short
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
# phase ("step"), dtype ("float32"), activations (as the dtype; float32 for int8, bfloat16 for float8), threads ("all"),
# steps (1)
"""

import itertools
import json
import math
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from bench.profile import reader
from bench.profile.errors import BadFile
from bench.profile.records import MOST_RECORDS
from kernels import implementations
from kernels.case import ACTIVATIONS, ALL, CELLS, DEVICES, Case, InvalidCase, Unavailable

FOLDER = Path(__file__).parents[1] / "suites"
DEFAULT, DEFAULT_CUDA = "quick", "gpu"
LARGEST_FILE_BYTES = 1 << 15
"""Python's TOML reader takes seconds over a key of so many dots, and time goes with their square."""

Why = Annotated[str, Meta(pattern=r"\S")]
Setting = Annotated[float, Meta(gt=0, lt=1e6)]
Value = int | str
Axis = Value | Annotated[tuple[Value, ...], Meta(min_length=1)]
"""One value or several; what they may be, a case says."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long a suite measures; FORMAT.md says what each is."""

    precision: Setting = 0.04
    budget_seconds: Setting = 0.7
    curve_seconds: Setting = 2.5
    longest_call_seconds: Setting = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cases to plan: every value of an axis with every other, in the order of the axes here."""

    why: Why
    device: Axis = "any"
    cell: Axis = CELLS
    hidden: Axis
    input: Axis = "hidden"
    batch: Axis = 1
    part: Axis = "cell"
    phase: Axis = "step"
    dtype: Axis = "float32"
    activations: Axis = "dtype"
    residency: Axis = "resident"
    threads: Axis = "all"
    steps: Axis = 1
    implementation: Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A suite's file. `implementation` stands in place of what its groups name; `order` is that of its cases."""

    why: Why
    order: Literal["seeded", "written"] = "seeded"
    settings: Settings = Settings()
    group: Annotated[list[Group], Meta(min_length=1)]
    implementation: Axis | None = None


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
    written: bool = False
    """Whether the points run in the order in which the file has them, every time."""


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
    text = reader.text(path, LARGEST_FILE_BYTES)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no TOML, or a number of thousands of digits
        raise BadFile(f"{path}: cannot be read: {error}") from error
    if instead:
        if "implementation" in data:
            raise BadFile(
                f"{path}: it says itself which implementations to use in place of its groups'"
            )
        data["implementation"] = list(instead)
        text = f"implementation = {json.dumps(list(instead), ensure_ascii=False)}\n{text}"
    if "implementation" in data and isinstance(data.get("group"), list):
        own = {"implementation": data["implementation"]}
        data["group"] = [each | own if isinstance(each, dict) else each for each in data["group"]]
    plan = reader.typed(File, data, str(path))
    planned: dict[str, Planned] = {}
    count = 0
    for index, group in enumerate(plan.group):
        where = f"{path}.group[{index}]"
        axes = _axes(group, device, where)
        count += math.prod(map(len, axes.values()))
        if count > MOST_RECORDS:
            raise BadFile(
                f"{where}: its points are more than the {MOST_RECORDS} of a profile: split the suite"
            )
        for point in _points(axes, all_threads, where):
            planned.setdefault(point.key, point)
    if not planned:
        raise BadFile(f"{path}: all its groups are for other devices than {device}")
    points = _order(list(planned.values()), seed if plan.order == "seeded" else None)
    written = plan.order == "written"
    return Suite(path.stem, plan.why, asdict(plan.settings), points, text, written)


def _axes(group: Group, device: str, where: str) -> dict[str, tuple[Any, ...]]:
    """Every axis with its values, of devices those asked for. Raises BadFile for names that nothing has."""
    axes = {
        axis: values if isinstance(values, tuple) else (values,)
        for axis, values in asdict(group).items()
        if axis != "why"
    }
    named = DEVICES if axes["device"] == ("any",) else axes["device"]
    if unknown := [one for one in named if one not in DEVICES]:
        raise BadFile(f"{where}: device {unknown[0]!r} is unknown: use one of {', '.join(DEVICES)}")
    axes["device"] = tuple(one for one in DEVICES if one in named and device in (one, ALL))
    try:
        names = tuple(implementations.named(str(name)) for name in axes["implementation"])
    except Unavailable as error:
        raise BadFile(f"{where}: {error}") from error
    return axes | {"implementation": names}


def _points(axes: dict[str, tuple[Any, ...]], all_threads: int, where: str) -> Iterator[Planned]:
    """The points of a group. Raises BadFile for a case that means nothing."""
    for values in itertools.product(*axes.values()):
        one = dict(zip(axes, values, strict=True))
        implementation = one.pop("implementation")
        if one["input"] == "hidden":
            one["input"] = one["hidden"]
        if one["activations"] == "dtype":
            one["activations"] = ACTIVATIONS.get(one["dtype"], "float32")
        if one["threads"] == "all":
            one["threads"] = all_threads
        if isinstance(one["threads"], int) and not 1 <= one["threads"] <= all_threads:
            raise BadFile(
                f"{where}: threads {one['threads']} is out of range: this machine has 1 to {all_threads}"
            )
        if one["device"] != "cpu":
            one["threads"] = 0
        try:
            yield Planned(Case(**one), implementation)
        except InvalidCase as error:
            raise BadFile(f"{where}: {error}") from error


def _order(points: list[Planned], seed: int | None) -> tuple[Planned, ...]:
    """Cases in seeded random order, so that a drift falls on all alike; the contestants of one case side by side.

    Without a seed all of a device are in the order written.

    A CPU's come first: a GPU that is lost takes none of them along.
    """
    if seed is None:
        return tuple(sorted(points, key=lambda point: DEVICES.index(point.case.device)))
    random.Random(seed).shuffle(points)
    of_case: dict[Case, list[Planned]] = {}
    for point in points:
        of_case.setdefault(point.case, []).append(point)
    ordered = [point for group in of_case.values() for point in group]
    return tuple(sorted(ordered, key=lambda point: DEVICES.index(point.case.device)))
