"""Profiles: what is written is read back, and what is not a profile is refused in one line."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.profile import reader, records
from bench.profile.errors import BadFile
from bench.profile.journal import write_profile
from bench.profile.records import Level, Point, Profile, Roof, RunWarning
from kernels.case import Case

FIXTURES = Path(__file__).parents[1] / "fixtures"

CASE = Case("lstm", hidden=64, input=32, batch=4, threads=2)
ROOF = Roof(
    "cpu", "read", "measured", None, 32768, 4096, 2, "1x8x16", "byte/s", (1e9, 2e9), ("a", "b")
)
LEVEL = Level("cpu", "L1", 65536, 3e11)
WARNING = RunWarning("noisy", "run", "the interval is wide", "measure again")
POINT = Point(
    case=CASE,
    implementation="torch_cell",
    status="ok",
    version="torch 2",
    order=3,
    at="2025-01-02T03:04:05+00:00",
    seconds=(1e-5, 1.5e-5),
    steps_per_sample=7,
    single_step_seconds={"min": 1e-5, "p50": 1.1e-5},
    roof_bytes_per_s=(1e10, 2e10),
    roof_flop_per_s=(1e11, 1e11),
    floor_seconds=1e-6,
    flops={"linear": 10, "recurrent": 5, "pointwise": 1},
    bytes={"weights": 1, "activations": 2, "read": 2, "written": 1},
    reads={"W": "per_step", "U": "per_step"},
    weight_sets=1,
    working_set_bytes=100,
    page_bytes=4096,
    error=1e-7,
    tolerance=1e-5,
    state={"clock_hz": None, "throttle": [], "load": 0.5},
)
PROFILE = Profile(
    created="2025-01-02T03:04:05+00:00",
    suite="quick",
    seed=1,
    project={"version": "0.1.0", "commit": None, "dirty": None},
    machine={"id": "0123456789abcdef", "label": "a machine", "cpu": {"caches": []}},
    environment={"python": "3.11.0", "threads": 2},
    settings={"precision": 0.04},
    complete=True,
    roofs=(ROOF,),
    levels=(LEVEL,),
    points=(POINT, Point(replace(CASE, batch=8), "torch_gates", "skipped", reason="too large")),
    warnings=(WARNING,),
)


def changed(path, value):
    """The profile as JSON with one field replaced; `path` is like points.0.seconds.1."""
    data = json.loads(json.dumps(asdict(PROFILE)))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = data
    for step in way:
        place = place[step]
    place[last] = value
    return data


def refused(data):
    with pytest.raises(BadFile) as caught:
        reader.from_dict(data, "a.json")
    line = str(caught.value)
    assert line.startswith("a.json")
    assert "\n" not in line
    assert len(line) < 300
    return line


def test_what_is_written_is_read_back(tmp_path):
    path = write_profile(PROFILE, tmp_path)
    assert path == tmp_path / "profile.json"
    assert reader.load(path) == PROFILE


figures = st.floats(1e-12, 1e24)
text = st.text(max_size=20)
points = st.builds(
    Point,
    case=st.builds(
        Case,
        st.sampled_from(["rnn", "gru"]),
        st.integers(1, 99),
        st.integers(1, 99),
        st.integers(1, 9),
    ),
    implementation=text,
    status=st.sampled_from(["ok", "failed", "skipped"]),
    reason=st.none() | text,
    seconds=st.lists(figures, min_size=1, max_size=3).map(tuple),
    floor_seconds=st.none() | figures,
    reads=st.none() | st.dictionaries(text, text, max_size=2),
)


@given(
    st.lists(points, max_size=3, unique_by=lambda point: point.key).map(tuple),
    text,
    st.integers(),
    st.booleans(),
)
def test_any_profile_survives_json(found, suite, seed, complete):
    profile = replace(PROFILE, points=found, suite=suite, seed=seed, complete=complete)
    written = json.dumps(asdict(profile), allow_nan=False)
    assert reader.from_dict(json.loads(written), "a.json") == profile


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


def test_a_file_of_schema_2_is_read_by_every_later_version():
    """It has every field of its day: one added later is missing from it, and a new file is put beside it."""
    written = json.loads((FIXTURES / "profile-2.json").read_text())
    profile = reader.load(FIXTURES / "profile-2.json")
    assert json.loads(json.dumps(asdict(profile))) == written
    point = profile.points[0]
    assert sum(visit.rounds for visit in point.visits) == len(point.seconds)
    assert point.products == {"count": 8, "flops": 98304}
    assert profile.machine["cpu"]["microarch"]


def test_a_pytest_benchmark_file_that_carries_a_profile_reads_as_one(tmp_path):
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": [], "roofline": asdict(PROFILE)}))
    assert reader.load(path) == PROFILE


def test_a_pytest_benchmark_file_without_one_is_refused(tmp_path):
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": []}))
    with pytest.raises(BadFile, match=r"benchmark\.json: no profile of this suite"):
        reader.load(path)


@pytest.mark.parametrize(
    "where", ["", "points.0.", "points.0.case.", "roofs.0.", "levels.0.", "warnings.0."]
)
def test_an_unknown_field_is_refused_by_name(where):
    assert "unknown field 'frobnicate'" in refused(changed(where + "frobnicate", 1))


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("suite", 5, "str"),
        ("suite", None, "str"),
        ("seed", "1", "int"),
        ("seed", 1.5, "int"),
        ("seed", True, "int"),
        ("complete", 1, "bool"),
        ("machine", [], "object"),
        ("points", {}, "array"),
        ("points.0", [], "object"),
        ("points.0.case", "lstm", "object"),
        ("points.0.status", None, "str"),
        ("points.0.seconds", 1.0, "array"),
        ("points.0.seconds.1", "fast", "float"),
        ("points.0.seconds.1", None, "float"),
        ("points.0.seconds.1", True, "float"),
        ("points.0.floor_seconds", "0", "float | null"),
        ("points.0.flops", [], "object | null"),
        ("points.0.flops.linear", 1.5, "int"),
        ("points.0.reads.W", 1, "str"),
        ("points.0.single_step_seconds.min", "1", "float"),
        ("roofs.0.samples.0", [], "float"),
        ("roofs.0.threads", 2.5, "int | null"),
        ("levels.0.bytes_per_s", "quick", "float"),
        ("machine.memory_bytes", "16 GiB", "int | null"),
        ("machine.cpu", 5, "object"),
        ("machine.cpu.caches", [{"level": "two"}], "int | null"),
        ("environment.threads", [], "int | null"),
        ("warnings.0.severity", 1, "str"),
        ("warnings.0.severity", None, "str"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_naming_the_field(field, value, wanted):
    """Values of an object whose names are free are told by the object's name."""
    line = refused(changed(field, value))
    name = re.sub(r"\.(\d)", r"[\1]", field)
    free = re.sub(r"(flops|reads|single_step_seconds)\.\w+", r"\1[...]", name)
    assert line.startswith(f"a.json.{free}")
    assert f": Expected {wanted}, got " in line


@pytest.mark.parametrize(
    "field", ["points.0.seconds.0", "points.0.error", "settings.precision", "machine.memory_bytes"]
)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_figure_that_is_not_finite_is_refused(tmp_path, field, value):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(changed(field, "here")).replace('"here"', value))
    with pytest.raises(BadFile, match=r"a\.json: not JSON"):
        reader.load(path)


def test_a_number_too_large_for_a_float_is_refused():
    refused(changed("points.0.floor_seconds", 10**400))


@pytest.mark.parametrize(
    ("field", "value"), [("hidden", 0), ("cell", "other"), ("steps", 0), ("batch", 10**9)]
)
def test_a_case_that_means_nothing_is_refused(field, value):
    line = refused(changed(f"points.0.case.{field}", value))
    assert line.startswith(f"a.json.points[0].case: {field} {value!r} ")


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ("", "machine"),
        ("", "method"),
        ("points.0.", "implementation"),
        ("points.0.case.", "hidden"),
        ("roofs.0.", "kind"),
    ],
)
def test_a_missing_field_is_refused_by_name(where, field):
    data = changed(where + field, None)
    place = data
    for step in where.split(".")[:-1]:
        place = place[int(step) if step.isdigit() else step]
    del place[field]
    line = refused(data)
    assert "missing" in line
    assert field in line


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


@pytest.mark.parametrize("data", [None, [], 5, "profile", {}, {"schema": 1}, {"benchmarks": 1}])
def test_json_that_is_no_profile_is_refused(data):
    assert "no profile of this suite" in refused(data)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"hello", b"\xff\xfe\x00", b"[" * 100_000, b'{"schema": "rnn-roofline/1"'],
    ids=range(6),
)
def test_a_file_that_is_not_json_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"a\.json: (not JSON|cannot be read)") as caught:
        reader.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path):
    with pytest.raises(BadFile, match="cannot be read: No such file"):
        reader.load(tmp_path / "absent.json")
    with pytest.raises(BadFile, match="cannot be read: Is a directory"):
        reader.load(tmp_path)


def test_a_file_too_large_for_a_profile_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "LARGEST_FILE_BYTES", 100)
    path = write_profile(PROFILE, tmp_path)
    with pytest.raises(BadFile, match="is more than the 100 such a file may have"):
        reader.load(path)


def test_samples_that_do_not_pair_are_refused():
    refused(changed("points.0.seconds", [1e-5]))


def test_a_status_nobody_knows_is_refused():
    refused(changed("points.0.status", "fine"))


def test_an_error_while_writing_leaves_the_old_profile(tmp_path):
    path = write_profile(PROFILE, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="Out of range float"):
        write_profile(replace(PROFILE, settings={"last": 0, "precision": math.nan}), tmp_path)
    assert path.read_bytes() == before


def test_an_error_while_writing_leaves_no_half_profile_where_there_was_none(tmp_path):
    with pytest.raises(TypeError):
        write_profile(replace(PROFILE, warnings=(object(),)), tmp_path)
    assert not (tmp_path / "profile.json").exists()


def test_a_disk_that_fails_at_the_last_moment_leaves_the_old_profile(tmp_path, monkeypatch):
    path = write_profile(PROFILE, tmp_path)

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_profile(replace(PROFILE, suite="other"), tmp_path)
    assert reader.load(path) == PROFILE


def test_an_error_while_writing_leaves_no_draft(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_profile(replace(PROFILE, settings={"precision": math.nan}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_points_key_tells_case_and_implementation():
    others = [
        replace(POINT, implementation="torch_gates"),
        replace(POINT, case=replace(CASE, batch=5)),
        replace(POINT, case=replace(CASE, residency="streamed")),
    ]
    assert len({point.key for point in (POINT, *others)}) == 4
    assert (
        replace(POINT, seconds=(), roof_bytes_per_s=(), roof_flop_per_s=(), status="failed").key
        == POINT.key
    )
