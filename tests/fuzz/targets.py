"""Who reads what strangers send, and what a good answer is: a report of figures that are some, or one clear line."""

from __future__ import annotations

import csv
import io
import json
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from bench.device import cpu
from bench.device.device import fastest_products
from bench.measure.context import write_roofs
from bench.profile import reader, records, suite
from bench.profile.errors import BadFile
from bench.profile.journal import OF_SWEEPS, Journal, from_journal
from bench.profile.records import RunWarning
from reports import locate, published
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.commands import check
from reports.compare import match, measured, predict, system
from reports.locate import BadInput
from reports.page import build, html, markdown, report, terminal
from reports.plots import chart_data, page_data
from reports.tables import comparison, predictions
from reports.tables import csv as points_csv
from tests.fuzz import mutations
from tests.reports import synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

    from reports.tables import points as tables

FIXTURE = Path(__file__).parents[1] / "bench" / "fixtures" / "profile-1.json"
LONGEST_LINE = 1000


class Harm(AssertionError):
    """An answer that is neither good nor one clear line."""


@dataclass(frozen=True)
class Target:
    """Files to draw, and their reader, which raises BadInput or BadFile where it takes none."""

    name: str
    files: Any
    read: Callable[[bytes, Path], None]
    one_in: int = 1
    """Of so many files that another reader gets."""


def answer(target: Target, raw: bytes, folder: Path) -> bool:
    """Whether the file was taken. Raises Harm, or whatever its reader raised and should not."""
    try:
        target.read(raw, folder)
    except (BadInput, BadFile) as error:
        line = str(error)
        if not line.isprintable() or not 0 < len(line) <= LONGEST_LINE:
            msg = f"refused, but not in one clear line: {line[:LONGEST_LINE]!r}"
            raise Harm(msg) from error
        return False
    return True


@cache
def good() -> dict[str, Any]:
    """A small profile in which every kind of roof, series and verdict occurs, as JSON data."""
    points = [
        synthetic.point(batch=batch, residency=residency, rounds=5, fraction=share)
        for batch, residency, share in (
            (1, "streamed", 0.8),
            (4, "streamed", 0.6),
            (16, "streamed", 0.4),
            (1, "resident", 0.7),
        )
    ]
    points.append(synthetic.point(implementation="torch_gates", rounds=5, fraction=0.5))
    points.append(synthetic.point("gru", phase="train", rounds=5))
    points.append(replace(points[0], case=replace(points[0].case, hidden=9), status="failed",
                          seconds=(), roof_bytes_per_s=(), reason="wrong by 3e-2"))  # fmt: skip
    warning = RunWarning("load", "run", "others kept 0.4 cores busy", "stop them")
    whole = synthetic.profile(points, warnings=(warning,))
    return json.loads(json.dumps(asdict(replace(whole, roofs=whole.roofs[::3]))))


def harmless(profile: records.Profile) -> None:
    """Everything that is told of a profile, but for pictures, and beside another one. Raises Harm."""
    analysis = Analysis(profile)
    document = report.document(analysis, {}, "command", None)
    markdown.render(document).encode()
    data = page_data.data(chart_data.charts(analysis))
    html.render(document, {}, data).encode()
    json.dumps(data, allow_nan=False)
    table = points_csv.points_csv(Analysis(profile))
    table.encode()
    for line in csv.reader(io.StringIO(table)):
        if {"nan", "inf", "-inf"} & set(line):
            msg = f"a figure that is none in points.csv: {line}"
            raise Harm(msg)
    json.dumps(asdict(profile), allow_nan=False)
    plain(Analysis(profile).headline, check.summary(profile)[1])
    beside(profile)


def plain(*lines: str) -> None:
    """Raise Harm for text that would steer the terminal it is printed on."""
    for line in lines:
        if not line.replace("\n", "").isprintable():
            msg = f"not fit for a terminal: {line!r}"
            raise Harm(msg)
        line.encode()


def shown(*tables: tables.Table) -> None:
    """Print tables as the commands do. Raises Harm."""
    out = io.StringIO()
    with redirect_stdout(out):
        for table in tables:
            terminal.show("Title", table)
    plain(out.getvalue())


def beside(profile: records.Profile) -> None:
    """Compared with itself on another day, and predicted from a good one."""
    mine = measured.system(Analysis(profile), wording.machine(profile))
    against(
        mine,
        measured.system(Analysis(replace(profile, created="another day")), "other"),
        measured.system(Analysis(reader.from_dict(good(), "good")), "good"),
    )


def against(mine: system.System, *others: system.System) -> None:
    """Compared with each, and predicted from and on each. Raises Harm."""
    for one in others:
        with suppress(BadInput):
            found = match.compare([mine, one])
            shown(
                comparison.ratio_table(found),
                comparison.ranking_table(found),
                comparison.differing_table(found),
            )
            told = (comparison.names, comparison.notes, comparison.overall)
            plain(*(terminal.line(line) for say in told for line in say(found)))
    for source, on in ((mine, others[-1]), (others[-1], mine)):
        with suppress(BadInput):
            shown(predictions.predictions(predict.predict(source, on)))


def _profile(raw: bytes, folder: Path) -> None:
    path = folder / "profile.json"
    path.write_bytes(raw)
    profile, _ = locate.load(str(path))
    harmless(profile)


def _report(raw: bytes, folder: Path) -> None:
    path = folder / "profile.json"
    path.write_bytes(raw)
    profile, _ = locate.load(str(path))
    build.build(Analysis(profile), folder / "report")


def _journal(raw: bytes, folder: Path) -> None:
    path = folder / "journal.jsonl"
    path.write_bytes(raw)
    told = from_journal(folder)
    harmless(told)
    # what a run that is resumed makes of it
    fastest_products(told.roofs, cpu.Cpu.matmul)
    write_roofs(told.roofs)
    journal = Journal(folder)
    try:
        journal.resumed()
    finally:
        journal.close()
    again = from_journal(folder)
    kept = tuple(one for one in told.warnings if one.code in OF_SWEEPS)
    if replace(again, complete=False, resumed=False) != replace(
        told, complete=False, resumed=False, warnings=kept
    ):
        msg = "resuming a journal changed what it tells"
        raise Harm(msg)


def _suite(raw: bytes, folder: Path) -> None:
    path = folder / "mine.toml"
    path.write_bytes(raw)
    plan = suite.load(str(path), "cpu", 2, 0)
    if not plan.points or len(plan.points) > records.MOST_RECORDS:
        msg = f"a plan of {len(plan.points)} points"
        raise Harm(msg)
    f"{plan.name} {plan.why}".encode()


def _published(raw: bytes, folder: Path) -> None:
    here = folder / "sets"
    here.mkdir(exist_ok=True)
    (here / "one.toml").write_bytes(raw)
    published.sets.cache_clear()
    for name in published.names(here):
        one = published.find(name, here)
        assert one is not None
        against(one, measured.system(Analysis(reader.from_dict(good(), "good")), "good"))


def carrier(profile: Any) -> dict[str, Any]:
    """What pytest-benchmark writes, with a profile in it."""
    return {"machine_info": {"node": ""}, "benchmarks": [], "version": "5.2", "roofline": profile}


def journal(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """The journal that a profile could have been assembled from."""
    header = {**profile, "roofs": [], "levels": [], "points": [], "warnings": [], "complete": False}
    return [
        {"profile": header},
        *({"roof": roof} for roof in profile["roofs"]),
        {"levels": profile["levels"]},
        *({"point": point} for point in profile["points"]),
        *({"warning": warning} for warning in profile["warnings"]),
        {"complete": True},
    ]


def lines(entries: Any) -> bytes:
    """A journal of these entries, one a line."""
    if not isinstance(entries, list):
        return mutations.as_bytes(entries)
    return b"".join(mutations.as_bytes(entry) + b"\n" for entry in entries)


def toml(data: Any) -> bytes:
    """An object as TOML with inline tables; what TOML has not is written all the same."""
    try:
        if not isinstance(data, dict):
            return _value(data).encode("utf-8", "surrogatepass")
        tables = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in data.items())
    except RecursionError:
        return b"why = " + b"[" * 100_000
    return tables.encode("utf-8", "surrogatepass")


def _key(key: object) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _key(value) if isinstance(value, str) else str(value)


PLAN = {
    "why": "a suite to spoil",
    "settings": {"precision": 0.04, "budget_seconds": 0.7, "curve_seconds": 2.5},
    "group": [
        {
            "why": "three cells",
            "cell": ["lstm", "gru"],
            "hidden": [64, 128],
            "input": ["hidden", 32],
            "batch": [1, 4],
            "part": ["cell"],
            "phase": ["step", "train"],
            "dtype": ["float32"],
            "activations": ["dtype"],
            "residency": ["resident", "streamed"],
            "threads": ["all", 1],
            "implementation": ["torch_cell"],
        },
        {"why": "one more", "hidden": 256, "implementation": "torch_gates"},
    ],
}


SET = {
    "name": "a set to spoil",
    "source": "a book",
    "licence": "none",
    "accounting": "as it is",
    "defects": ["one figure a case"],
    "device": [
        {
            "name": "Box",
            "memory": "DDR",
            "bytes_per_s": 8e9,
            "flop_per_s": 1e12,
            "last_level_bytes": 1000,
            "remark": "",
        }
    ],
    "results": """
device,library,dtype,cell,mode,hidden,batch,steps,forward_ms,backward_ms,backward_of
Box,lib 1,float32,rnn,inference,1024,1,10,1.0,,
Box,lib 1,float16,lstm,training,1024,4,25,1.5,2.5,inputs+weights
""",
}


def all_of_them() -> tuple[Target, ...]:
    """Every reader with the files it is given: structures gone wrong, and bytes."""
    profile, fixture = good(), json.loads(FIXTURE.read_text(encoding="utf-8"))
    entries = journal(profile)
    either = mutations.structure(profile) | mutations.structure(fixture)
    return (
        Target("profile", either.map(mutations.as_bytes), _profile),
        Target("profile, bytes", mutations.spoilt(json.dumps(profile)), _profile),
        Target(
            "benchmark JSON",
            (either.map(carrier) | mutations.structure(carrier(profile))).map(mutations.as_bytes),
            _profile,
        ),
        Target("profile, with pictures", either.map(mutations.as_bytes), _report, one_in=40),
        Target("journal", mutations.structure(entries).map(lines), _journal),
        Target("journal, bytes", mutations.spoilt(lines(entries).decode()), _journal),
        Target("suite", mutations.structure(PLAN).map(toml), _suite),
        Target("suite, bytes", st.one_of(
            mutations.spoilt(toml(PLAN).decode()),
            mutations.spoilt((suite.FOLDER / "smoke.toml").read_text(encoding="utf-8")),
        ), _suite),
        Target("published set", mutations.structure(SET).map(toml), _published),
        Target("published set, bytes", mutations.spoilt(toml(SET).decode()), _published),
    )  # fmt: skip
