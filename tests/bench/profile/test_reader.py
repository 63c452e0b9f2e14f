"""What is no profile is refused in one line, and nothing a stranger sends takes more memory than its bounds."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.profile import reader, records, suite
from bench.profile.errors import BadFile
from bench.profile.journal import Journal, from_journal, write_profile
from tests.bench.profile.samples import AS_JSON, LEVEL, POINT, PROFILE, ROOF, changed, refused


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
        ("machine.cpu", None, "object"),
        ("machine.cpu.caches", None, "array"),
        ("machine.cpu.caches", ["L1"], "object"),
        ("machine.label", 5, "str | null"),
        ("project.commit", 5, "str | null"),
        ("environment.energy", {"cpu": 5}, "str"),
        ("points.0.state.clock_hz", "fast", "float | null"),
        ("points.0.state.throttle", "heat", "array"),
        ("points.0.counted_bytes", {"read": 0.5}, "int | null"),
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
    with pytest.raises(BadFile, match=r"absent\.json: cannot be read: No such file"):
        reader.load(tmp_path / "absent.json")
    with pytest.raises(BadFile, match=r"^[^(]*: cannot be read: Is a directory"):  # no word of JSON
        reader.load(tmp_path)


def test_a_file_too_large_for_a_profile_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "LARGEST_FILE_BYTES", 100)
    path = write_profile(PROFILE, tmp_path)
    with pytest.raises(BadFile, match="is more than the 100 such a file may have"):
        reader.load(path)


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
