"""Profiles made to harm: the report is escaped and stays in its folder, or one line says no with exit code 2."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from bench.profile import journal, records
from bench.profile.errors import BadFile
from bench.profile.records import RunWarning
from reports import __main__
from reports.analysis.analysis import Analysis
from reports.page import html
from reports.plots import chart_data, page_data
from tests.reports import synthetic
from tests.reports.synthetic import profile

SCRIPT = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)>"
PATHS = ("../../../escaped", "/etc/escaped", "..\\escaped", "a/b\0c")


def built(tmp_path, capsys, data):
    """Build the report of a profile given as JSON data: exit code, lines of stderr, and the files there are now."""
    runs = tmp_path / "runs" / "one"
    runs.mkdir(parents=True)
    (runs / "profile.json").write_text(json.dumps(data), encoding="utf-8")
    code = __main__.main(["build", str(runs)])
    errors = capsys.readouterr().err.splitlines()
    return code, errors, sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())


@pytest.fixture
def made():
    """A good profile as JSON data."""
    return json.loads(json.dumps(asdict(profile([synthetic.point()]))))


@pytest.mark.parametrize("text", [SCRIPT, *PATHS])
def test_no_text_of_a_profile_becomes_markup_or_a_path(tmp_path, capsys, made, text):
    made["machine"] |= {"label": text, "id": text, "os": text}
    made["suite"] = text
    made["points"][0] |= {"implementation": text, "version": text}
    made["warnings"] = [asdict(RunWarning(text, text, text, text))]
    made["levels"][0]["name"] = text
    code, errors, files = built(tmp_path, capsys, made)
    assert (code, errors) == (0, [])
    folder = tmp_path / "runs" / "one"
    assert {tmp_path / path for path in files} >= {folder / "report.html", folder / "profile.json"}
    assert all(path.parts[:2] == ("runs", "one") and len(path.parts) <= 4 for path in files)
    assert "<script>alert" not in (folder / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in (folder / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["suite", "label", "key", "implementation", "reason", "message"])
def test_a_text_of_ten_million_characters_is_one_line(tmp_path, capsys, made, place):
    long = "x" * 10_000_000
    if place == "suite":
        made["suite"] = long
    elif place == "label":
        made["machine"]["label"] = long
    elif place == "key":
        made["machine"][long] = 1
    elif place == "message":
        made["warnings"] = [asdict(RunWarning("a", "b", long, "c"))]
    else:
        made["points"][0][place] = long
    code, errors, files = built(tmp_path, capsys, made)
    assert (code, len(errors), len(files)) == (2, 1, 1)
    assert "a text of 10000000 characters" in errors[0] or "Expected str of length <= " in errors[0]
    assert len(errors[0]) < 500


@pytest.mark.parametrize("depth", [33, 200, 480, 800, 940, 985, 1000, 3000, 100_000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_an_object_nested_too_deep_is_one_line(tmp_path, capsys, made, depth, pair):
    text = json.dumps(made | {"settings": {"here": "HERE"}})
    (tmp_path / "profile.json").write_text(
        text.replace('"HERE"', pair[0] * depth + "1" + pair[1] * depth), encoding="utf-8"
    )
    assert __main__.main(["build", str(tmp_path)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert "nested deeper" in error or "recursion" in error
    assert len(error) < 500
    assert [path.name for path in tmp_path.iterdir()] == ["profile.json"]


def test_more_records_than_a_profile_may_have_are_one_line(tmp_path, capsys, made):
    made["warnings"] = [asdict(RunWarning("a", "b", "c", "d"))] * (records.MOST_RECORDS + 1)
    code, errors, files = built(tmp_path, capsys, made)
    assert (code, len(errors), len(files)) == (2, 1, 1)
    assert f"warnings: Expected array of length <= {records.MOST_RECORDS}" in errors[0]


def test_more_records_than_a_journal_may_have_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "MOST_RECORDS", 3)
    written = journal.Journal.start(tmp_path, profile())
    for index in range(4):
        written.append(RunWarning(str(index), "b", "c", "d"))
    written.close()
    with pytest.raises(BadFile, match="more than 3 warnings"):
        journal.from_journal(tmp_path)


def test_the_longest_names_still_make_pictures(tmp_path, capsys, made):
    made["points"][0]["implementation"] = "W" * 200
    made["levels"][0]["name"] = "W" * 200
    assert built(tmp_path, capsys, made)[:2] == (0, [])


@pytest.mark.parametrize("text", [SCRIPT, "a\u2028b\u2029c", "&lt;", "]]>"])
def test_data_within_the_page_is_json_without_markup(text):
    data = {"a": [text], text: 1}
    found = html.embedded(data)
    assert not set(found) & set("<>&\u2028\u2029")
    assert json.loads(found) == data


def test_the_data_of_a_plot_are_numbers_that_json_has():
    data = page_data.data(chart_data.charts(Analysis(synthetic.suite())))
    json.dumps(data, allow_nan=False)
