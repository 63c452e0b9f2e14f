"""Older schemas are migrated, newer ones refused; the committed JSON Schema is that of the types, and agrees."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.profile import reader, records, schema
from bench.profile.errors import BadFile
from kernels.case import Case
from tests.bench.profile.samples import AS_JSON, FIXTURES, PROFILE, changed, refused

jsonschema = pytest.importorskip("jsonschema", reason="a card's own Python may lack it")

GALLERY = sorted((Path(__file__).parents[3] / "reports" / "gallery").glob("*/profile.json"))


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(json.loads(schema.FILE.read_text(encoding="utf-8")))


def test_the_committed_schema_is_made_of_the_types_of_today():
    made = json.loads(json.dumps(schema.json_schema()))
    committed = json.loads(schema.FILE.read_text(encoding="utf-8"))
    assert committed == made, "write it anew: python -m bench.profile.schema"


def test_it_is_a_schema_of_2020_12():
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())


@pytest.mark.parametrize(
    "path", [*GALLERY, FIXTURES / "profile-1.json"], ids=lambda path: path.parent.name
)
def test_a_profile_of_any_schema_is_valid_once_it_is_read(validator, path):
    validator.validate(json.loads(json.dumps(asdict(reader.load(path)))))


def test_a_file_of_schema_2_is_valid_as_it_lies(validator):
    validator.validate(json.loads((FIXTURES / "profile-2.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "rnn-roofline/3"),
        ("method", 0),
        ("novelty", 1),
        ("machine", []),
        ("machine.cpu", {"cores": "two"}),
        ("environment.cores", 2),
        ("points.0.novelty", 1),
        ("points.0.state.load", "high"),
        ("points.0.counted_bytes", {"read": -1}),
        ("points.0.status", "fine"),
        ("points.0.seconds", ["fast"]),
        ("points.0.case.hidden", "large"),
        ("points.0.case.cell", "tree"),
        ("points.0.visits", [{"rounds": 5}]),
        ("roofs.0.samples", None),
        ("levels.0.bytes_per_s", "quick"),
        ("warnings.0.severity", "fatal"),
    ],
)
def test_what_the_schema_refuses_reading_refuses_too(validator, field, value):
    data = changed(field, value)
    assert not validator.is_valid(data)
    with pytest.raises(BadFile):
        reader.from_dict(data, "a.json")


def test_a_file_of_schema_1_is_read_by_every_later_version():
    profile = reader.load(FIXTURES / "profile-1.json")
    assert profile.schema == records.SCHEMA
    assert profile.complete
    assert [point.status for point in profile.points] == ["ok", "failed", "skipped"]
    assert [level.name for level in profile.levels] == ["L1", "DRAM"]
    assert profile.points[0].case == Case("lstm", hidden=64, input=32, batch=4, threads=2)
    assert len(profile.points[0].seconds) == len(profile.points[0].roof_bytes_per_s) == 10
    assert {roof.kind for roof in profile.roofs} == {
        "read",
        "write",
        "copy",
        "triad",
        "matmul",
        "call",
    }


def test_what_schema_1_called_doubts_are_warnings_of_their_codes_severity():
    """In files of schema 2 it is stored, and stays whatever a later version thinks of the code."""
    old = json.loads((FIXTURES / "profile-1.json").read_text())
    codes = ["impossible", "noisy", "cpu only", "unheard of"]
    old["doubts"] = [{**old["doubts"][0], "code": code} for code in codes]
    migrated = reader.from_dict(old, "old.json")
    assert [warning.code for warning in migrated.warnings] == codes
    assert [warning.severity for warning in migrated.warnings] == [
        "error",
        "warning",
        "note",
        "warning",
    ]
    stored = reader.from_dict(changed("warnings.0.severity", "error"), "new.json")
    assert stored.warnings[0].severity == "error"
    assert "severity" in refused(changed("warnings.0.severity", "fatal"))


def of_its_day(read, written):
    """What was read, without the fields that were added since the file was written; these hold nothing."""
    if isinstance(written, list) and isinstance(read, list):
        return [of_its_day(one, other) for one, other in zip(read, written, strict=True)]
    if not isinstance(written, dict) or not isinstance(read, dict):
        return read
    assert not any(value for name, value in read.items() if name not in written)
    return {name: of_its_day(read[name], written[name]) for name in written}


def test_a_file_of_schema_2_is_read_by_every_later_version():
    """It has every field of its day: one added later is missing from it, and a new file is put beside it."""
    written = json.loads((FIXTURES / "profile-2.json").read_text())
    profile = reader.load(FIXTURES / "profile-2.json")
    assert of_its_day(json.loads(json.dumps(asdict(profile))), written) == written
    point = profile.points[0]
    assert sum(visit.rounds for visit in point.visits) == len(point.seconds)
    assert point.products == {"count": 8, "flops": 98304}
    assert profile.machine["cpu"]["microarch"]


@pytest.mark.parametrize("schema", ["rnn-roofline/3", "other/1", "", "x" * 1000])
def test_another_schema_is_refused_by_name(schema):
    line = refused(changed("schema", schema))
    assert schema[:60] in line
    assert "'rnn-roofline/2'" in line


def test_a_newer_schema_is_refused_before_its_fields_are_looked_at():
    data = changed("schema", "rnn-roofline/3")
    data["novelty"] = data.pop("points")
    assert "newer than this version reads" in refused(data)


@pytest.mark.parametrize("method", [records.METHOD + 1, 0, -1, "1", True, 1.0, None])
def test_a_method_that_is_newer_or_none_is_refused(method):
    newer = method == records.METHOD + 1
    assert (
        "newer than this version reads: update it" in refused(changed("method", method))
    ) == newer


@pytest.mark.parametrize("method", range(1, records.METHOD + 1))
def test_every_method_until_todays_is_read(method):
    assert reader.from_dict(changed("method", method), "profile").method == method


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
