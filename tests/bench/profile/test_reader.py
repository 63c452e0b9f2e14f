"""Bounds that a stranger's file meets before it is parsed, and what becomes of older and newer schemas."""

from __future__ import annotations

import json
import os
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.profile import reader, records, schema, suite
from bench.profile.errors import BadFile
from bench.profile.journal import Journal, from_journal, write_profile
from tests.bench.profile.test_records import LEVEL, POINT, PROFILE, ROOF

AS_JSON = json.loads(json.dumps(asdict(PROFILE)))


@pytest.mark.parametrize("value", ["[],", "{},", "0,", '{"a":{}},'])
def test_more_values_than_memory_should_hold_are_refused_before_they_are_made(
    tmp_path, monkeypatch, value
):
    monkeypatch.setattr(reader, "MOST_VALUES", 10_000)
    path = tmp_path / "profile.json"
    path.write_text(f"[{value * 1_000_000}0]")
    tracemalloc.start()
    with pytest.raises(BadFile, match="more than the 10000 values"):
        reader.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * path.stat().st_size + (1 << 20)


def test_a_journal_of_too_many_values_is_refused(tmp_path, monkeypatch):
    Journal.start(tmp_path, PROFILE).close()
    monkeypatch.setattr(reader, "MOST_VALUES", 10)
    with pytest.raises(BadFile, match="more than the 10 values"):
        from_journal(tmp_path)


def test_the_largest_profile_there_may_be_has_room():
    """10,000 points of the committed run's size, in values and in bytes."""
    text = (Path(suite.__file__).parents[2] / "reports" / "gallery").glob("*/profile.json")
    for path in text:
        raw = path.read_text(encoding="utf-8")
        points = len(json.loads(raw)["points"])
        assert 10_000 / points * len(raw) < reader.LARGEST_FILE_BYTES
        assert 10_000 / points * sum(map(raw.count, ",[{")) < reader.MOST_VALUES


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path, make):
    for name, load in (
        ("profile.json", reader.load),
        ("mine.toml", lambda path: suite.load(str(path), "cpu", 2, 0)),
    ):
        make(tmp_path / name)
        with pytest.raises(BadFile, match="a device or a pipe, no file"):
            load(tmp_path / name)


def test_a_suite_larger_than_any_is_refused_unread(tmp_path):
    path = tmp_path / "large.toml"
    path.write_text("#" * (suite.LARGEST_FILE_BYTES + 1))
    with pytest.raises(BadFile, match=f"more than the {suite.LARGEST_FILE_BYTES} such a file"):
        suite.load(str(path), "cpu", 2, 0)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = " + "{a = " * 5000, "[" * 10_000],
    ids=["lists", "digits", "tables", "brackets"],
)
def test_what_the_toml_reader_gives_up_on_is_one_line(tmp_path, text):
    path = tmp_path / "deep.toml"
    path.write_text(text)
    with pytest.raises(BadFile, match=r"deep\.toml: cannot be read"):
        suite.load(str(path), "cpu", 2, 0)


def test_more_points_than_a_profile_may_have_are_refused_before_they_are_made(tmp_path):
    path = tmp_path / "many.toml"
    thousand = list(range(1, 1001))
    path.write_text(
        f'why = "many"\n[[group]]\nwhy = "many"\nimplementation = "torch_cell"\n'
        f"hidden = {thousand}\nbatch = {thousand}\ninput = {thousand}\n"
    )
    tracemalloc.start()
    with pytest.raises(BadFile, match=r"group\[0\]: its points are more than the 100000"):
        suite.load(str(path), "cpu", 2, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_an_older_schema_is_read_by_migration_step_by_step(monkeypatch):
    """Two steps: a field that got another name, then one that got another unit."""

    def renamed(data):
        return {**data, "schema": "rnn-roofline/0.5", "suite": data["plan"], "plan": None}

    def rescaled(data):
        rest = {key: value for key, value in data.items() if key != "plan"}
        return {**rest, "schema": records.SCHEMA, "seed": data["seed"] // 10}

    steps = {"rnn-roofline/0": renamed, "rnn-roofline/0.5": rescaled}
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    old = {key: value for key, value in AS_JSON.items() if key != "suite"}
    old |= {"schema": "rnn-roofline/0", "plan": PROFILE.suite, "seed": 10 * PROFILE.seed}
    assert reader.from_dict(old, "old.json") == PROFILE


@pytest.mark.parametrize(
    "schema", ["rnn-roofline/3", "rnn-roofline/10", "rnn-roofline/" + "9" * 5000]
)
def test_a_newer_schema_is_refused_as_newer(schema):
    with pytest.raises(BadFile, match=r"newer than this version reads: update it"):
        reader.from_dict({**AS_JSON, "schema": schema}, "a.json")


@pytest.mark.parametrize(
    "schema", ["rnn-roofline/0", "rnn-roofline/x", "other/2", "", "/", "\u00b2/\u00b2"]
)
def test_a_schema_nobody_knows_is_refused_as_such(schema):
    with pytest.raises(BadFile, match="none of this suite's"):
        reader.from_dict({**AS_JSON, "schema": schema}, "a.json")


def test_the_journal_of_an_interrupted_run_of_schema_1_is_refused_by_name(tmp_path):
    journal = Journal.start(tmp_path, replace(PROFILE, schema="rnn-roofline/1"))
    journal.append(POINT)
    journal.close()
    with pytest.raises(BadFile, match=r"journal\.jsonl: an older version's journal"):
        from_journal(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("machine", {"label": "x" * 1001}),
        ("settings", {"x" * 1001: 1}),
        ("machine", {"a": [["x" * 1001]]}),
    ],
)
def test_a_text_in_a_free_object_is_no_longer_than_others(monkeypatch, field, value):
    reader.from_dict({**AS_JSON, field: value}, "a.json")
    monkeypatch.setattr(reader, "LONGEST_TEXT", 1000)
    with pytest.raises(BadFile, match=rf"a\.json\.{field}.*: a text of 1001 characters"):
        reader.from_dict({**AS_JSON, field: value}, "a.json")


def test_a_text_of_a_record_is_bounded():
    longest = "x" * records.LONGEST_TEXT
    assert reader.from_dict({**AS_JSON, "suite": longest}, "a.json").suite == longest
    with pytest.raises(BadFile, match=r"a\.json\.suite: Expected str of length <= 1048576"):
        reader.from_dict({**AS_JSON, "suite": longest + "x"}, "a.json")


def test_more_records_than_a_profile_may_have_are_refused():
    many = AS_JSON["warnings"] * (records.MOST_RECORDS + 1)
    with pytest.raises(BadFile, match=r"a\.json\.warnings: Expected array of length <= 100000"):
        reader.from_dict({**AS_JSON, "warnings": many}, "a.json")


@pytest.mark.parametrize("lists", [True, False])
def test_a_free_object_is_no_deeper_than_32(lists):
    def nested(depth):
        inner = {}
        for _ in range(depth):
            inner = [inner] if lists else {"a": inner}
        return {**AS_JSON, "settings": {"a": inner}}

    reader.from_dict(nested(30), "a.json")
    with pytest.raises(BadFile, match="nested deeper than 32"):
        reader.from_dict(nested(31), "a.json")


@pytest.mark.parametrize("schema", [[], {}, 1, None])
def test_a_journal_whose_schema_is_no_text_is_refused(tmp_path, schema):
    header = {**AS_JSON, "schema": schema}
    (tmp_path / "journal.jsonl").write_text(json.dumps({"profile": header}) + "\n")
    with pytest.raises(BadFile, match="line 1: no profile of this suite"):
        from_journal(tmp_path)


def test_a_lone_surrogate_in_a_journal_is_refused_by_its_line(tmp_path):
    Journal.start(tmp_path, PROFILE).close()
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"warning":{"code":"\\ud800","about":"run","message":"a","advice":"b"}}\n')
    with pytest.raises(BadFile, match="line 2"):
        from_journal(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": (), "roof_bytes_per_s": (), "roof_flop_per_s": ()}, "seconds: empty"),
        ({"seconds": (0.0, 1.0)}, r"seconds\[0\]: Expected float >= 1e-12"),
        ({"seconds": (1.0, -1.0)}, r"seconds\[1\]: Expected float >= 1e-12"),
        ({"roof_bytes_per_s": (1e-300, 1.0)}, r"roof_bytes_per_s\[0\]: Expected float >= 1e-12"),
        ({"roof_flop_per_s": (1e25, 1.0)}, r"roof_flop_per_s\[0\]: Expected float <= 1e"),
        ({"floor_seconds": 0.0}, "floor_seconds: Expected float >= 1e-12"),
        ({"working_set_bytes": 0}, "working_set_bytes: Expected int >= 1"),
        ({"bytes": {"read": 1}}, "bytes.weights: missing"),
        ({"flops": {"linear": -1, "recurrent": 0, "pointwise": 0}}, "flops.*Expected int >= 0"),
        ({"projection": {"linear": 5}}, "projection.read: missing"),
        ({"projection": {"linear": 10**12, "read": 2}}, "projection: no part of flops.linear"),
        ({"projection": {"linear": 0, "read": 2}}, "projection: no part of flops.linear"),
        ({"projection": {"linear": 5, "read": 2}, "flops": None}, "projection: no part of"),
        ({"implementation": "x" * 201}, "implementation: Expected str of length <= 200"),
    ],
)
def test_figures_that_cannot_be_are_refused_by_name_in_a_profile_and_in_a_journal(
    tmp_path, change, message
):
    point = replace(POINT, **change)
    path = write_profile(replace(PROFILE, points=(point,)), tmp_path)
    with pytest.raises(BadFile, match=message):
        reader.load(path)
    journal = Journal.start(tmp_path, PROFILE)
    journal.append(point)
    journal.close()
    with pytest.raises(BadFile, match=message):
        from_journal(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": (POINT, POINT)}, r"points\[1\]: .* is there twice"),
        (
            {"roofs": (replace(ROOF, samples=()),)},
            r"roofs\[0\]\.samples: Expected array of length >= 1",
        ),
        (
            {"roofs": (replace(ROOF, samples=(0.0,)),)},
            r"roofs\[0\]\.samples\[0\]: Expected float >= 1",
        ),
        ({"levels": (LEVEL,) * 33}, "levels: Expected array of length <= 32"),
        (
            {"levels": (replace(LEVEL, name="x" * 201),)},
            r"levels\[0\]\.name: Expected str of length",
        ),
        (
            {"levels": (replace(LEVEL, up_to_bytes=2**61),)},
            r"levels\[0\]\.up_to_bytes: Expected int <=",
        ),
        ({"machine": {"memory_bytes": 0}}, r"machine\.memory_bytes: Expected int >= 1"),
        (
            {"machine": {"cpu": {"caches": [{"size_bytes": -1}]}}},
            r"caches\[0\]\.size_bytes: Expected",
        ),
    ],
)
def test_a_machine_that_cannot_be_is_refused_by_name(tmp_path, change, message):
    path = write_profile(replace(PROFILE, **change), tmp_path)
    with pytest.raises(BadFile, match=message):
        reader.load(path)
