"""The committed JSON Schema is that of the types, and says of a profile what reading says."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest

from bench.profile import reader, schema
from bench.profile.errors import BadFile
from tests.bench.profile.test_records import FIXTURES, changed

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
