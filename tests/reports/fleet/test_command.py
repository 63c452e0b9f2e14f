"""`python -m reports fleet`: exit codes, refusals in one line, and the files that it writes."""

from __future__ import annotations

import csv
import re
import shutil

import numpy as np
import pytest

from reports import __main__
from reports.fleet import folder, open_metrics
from reports.fleet.fleet import fleet
from reports.plots import fleet as plots
from tests.reports.fleet import made
from tests.reports.fleet.made import Slow

MODEL = made.model(12)
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)')


@pytest.fixture
def there(tmp_path):
    """A folder of six equal nodes of two passes."""
    random = np.random.default_rng(3)
    for node in "abcdef":
        for name in "12":
            made.write(tmp_path / "fleet", node, name, made.moved(MODEL, random))
    return tmp_path / "fleet"


def slow(there, node="c", **by):
    random = np.random.default_rng(4)
    for name in "12":
        moved = made.moved(MODEL, random, slow=Slow(by or {"DRAM": 1.3, "steps": 1.2}))
        made.write(there, node, name, moved)


def run(*arguments):
    return __main__.main(["fleet", *map(str, arguments)])


def test_it_exits_with_0_1_and_3(there, capsys):
    assert run(there) == 0
    assert "--exclude" not in capsys.readouterr().out
    (there / "z").mkdir()
    assert run(there) == 3
    slow(there)
    assert run(there) == 1
    assert "--exclude=c\n" in capsys.readouterr().out


def test_what_is_asked_decides_what_is_slow(there):
    slow(there)
    assert run(there, "--slower-than", 100) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--slower-than", "0"],
        ["--slower-than", "nan"],
        ["--within", "-1"],
        ["--within", "2000"],
        ["--before", "nonesuch"],
        ["--out", "/dev/null/x"],
    ],
    ids=" ".join,
)
def test_what_has_no_meaning_is_one_line_and_2(there, arguments, capsys):
    assert run(there, *arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_before_of_another_fleet_is_refused(there, tmp_path, capsys):
    shutil.copytree(there, tmp_path / "before")
    for one in sorted((tmp_path / "before").iterdir()):
        one.rename(one.with_name(f"other-{one.name}"))
    assert run(there, "--before", tmp_path / "before") == 2
    assert "--before" in capsys.readouterr().err


def test_it_writes_a_page_markdown_csv_metrics_and_pictures(there, tmp_path):
    slow(there)
    (there / "z").mkdir()
    out = tmp_path / "out"
    assert run(there, "--before", there, "--out", out) == 1
    names = {path.name for path in out.rglob("*") if path.is_file()}
    assert {"fleet.html", "fleet.md", "fleet.csv", "figures.csv", "fleet.prom"} <= names
    assert {"ranked.svg", "ranked.png", "nodes_by_figures.pdf"} <= names
    with (out / "fleet.csv").open(encoding="utf-8") as file:
        rows = {row["node"]: row for row in csv.DictReader(file)}
    assert rows["c"]["verdict"] == "slow"
    assert rows["c"]["control"] in set("abdef")
    assert float(rows["c"]["slower"]) == pytest.approx(1.2, rel=0.05)
    assert rows["z"]["verdict"] == "not judged"
    assert not rows["z"]["slower"]
    with (out / "figures.csv").open(encoding="utf-8") as file:
        found = [
            row["figure"]
            for row in csv.DictReader(file)
            if (row["node"], row["verdict"]) == ("c", "slow")
        ]
    assert "DRAM read" in found
    assert "--exclude=c" in (out / "fleet.md").read_text(encoding="utf-8")


def test_the_report_may_lie_in_the_fleet_s_own_folder(there):
    assert run(there, "--out", there) == 0
    assert run(there, "--out", there) == 0


def test_metrics_are_read_back_as_they_were(there):
    slow(there)
    (there / 'odd"name\\').mkdir()
    found = fleet(folder.read(there))
    text = open_metrics.text(found)
    assert text.endswith("# EOF\n")
    samples = [SAMPLE.fullmatch(line) for line in text.splitlines() if not line.startswith("#")]
    assert all(samples)
    values = {(one[1], one[2] or ""): float(one[3]) for one in samples}
    assert len(values) == len(samples)  # no sample twice
    told = {key[1]: value for key, value in values.items() if key[0].endswith("node_slow")}
    assert sum(told.values()) == 1
    families = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert {one[1] for one in samples} == set(families)


def test_the_map_shows_slow_nodes_whatever_else_there_is(there, monkeypatch):
    slow(there)
    monkeypatch.setattr(plots, "MOST_ROWS", 2)
    shown = plots.rows(fleet(folder.read(there)))
    assert len(shown) == 2
    assert "c" in [node.name for node in shown]


def test_pictures_hold_every_node_by_its_rank(there):
    slow(there)
    found = fleet(folder.read(there))
    axes = plots.ranked(found)
    names = [label.get_text() for label in axes[0, 0].get_xticklabels()]
    assert names[0] == "c"
    assert sorted(names) == list("abcdef")
    heights = np.concatenate(
        [line.get_ydata() for line in axes[0, 0].lines if line.get_marker() == "s"]
    )
    assert heights == pytest.approx([100 * (found.slow[0].steps.median - 1)])


def test_names_of_strangers_are_escaped_and_printable(there, tmp_path):
    (there / "a").rename(there / "<b>a\x1b[1m")
    out = tmp_path / "out"
    assert run(there, "--out", out) == 0
    page = (out / "fleet.html").read_text(encoding="utf-8")
    assert "<b>a" not in page
    assert "\x1b" not in page
