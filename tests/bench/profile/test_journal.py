"""The journal of a run survives a crash at any byte."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import pytest

from bench.profile import reader, records
from bench.profile.errors import BadFile
from bench.profile.journal import Journal, from_journal, write_profile
from kernels.case import ARITHMETIC
from tests.bench.profile.samples import AS_JSON, LEVEL, POINT, PROFILE, ROOF, WARNING

HEADER = replace(PROFILE, complete=False)
SECOND = replace(POINT, case=replace(POINT.case, batch=8))


@pytest.fixture
def write(tmp_path):
    """A function that starts the journal of a run with these findings; closed after the test."""
    made = []

    def write(*findings):
        made.append(Journal.start(tmp_path, HEADER))
        for finding in findings:
            if isinstance(finding, records.Level):
                made[-1].levels((finding,))
            else:
                made[-1].append(finding)
        return made[-1]

    yield write
    for journal in made:
        journal.close()


def empty():
    return replace(HEADER, roofs=(), levels=(), points=(), warnings=())


def test_a_journal_tells_header_and_findings_in_order(write, tmp_path):
    journal = write(ROOF, LEVEL, POINT, SECOND, WARNING)
    journal.complete()
    journal.close()
    told = from_journal(tmp_path)
    assert told == replace(
        HEADER,
        complete=True,
        roofs=(ROOF,),
        levels=(LEVEL,),
        points=(POINT, SECOND),
        warnings=(WARNING,),
    )


@pytest.mark.parametrize(("dtype", "activations"), ARITHMETIC)
def test_points_of_every_dtype_come_back_from_the_journal_and_from_the_profile(
    write, tmp_path, dtype, activations
):
    case = replace(POINT.case, phase="step", dtype=dtype, activations=activations)
    point = replace(POINT, case=case)
    journal = write(ROOF, LEVEL, point)
    journal.complete()
    journal.close()
    assert from_journal(tmp_path).points == (point,)
    assert reader.load(write_profile(from_journal(tmp_path), tmp_path)).points == (point,)


def test_every_finding_is_on_disk_before_the_next(write, tmp_path):
    journal = write()
    assert from_journal(tmp_path) == empty()
    for number, point in enumerate((POINT, SECOND), 1):
        journal.append(point)
        assert len(from_journal(tmp_path).points) == number


def test_a_run_that_is_not_over_is_not_complete(write, tmp_path):
    write(POINT)
    assert not from_journal(tmp_path).complete


def test_a_header_brings_no_findings_of_its_own(write, tmp_path):
    write()
    header = json.loads((tmp_path / "journal.jsonl").read_text())["profile"]
    assert PROFILE.points
    assert header["points"] == header["roofs"] == header["levels"] == header["warnings"] == []
    assert from_journal(tmp_path).points == ()


def test_a_folder_with_a_journal_is_not_started_anew(write, tmp_path):
    write(POINT)
    with pytest.raises(FileExistsError):
        Journal.start(tmp_path, HEADER)
    assert from_journal(tmp_path).points == (POINT,)


def test_a_later_point_replaces_an_earlier_one_of_the_same_case_and_implementation(write, tmp_path):
    again = replace(POINT, seconds=(9.0,), roof_bytes_per_s=(1.0,), roof_flop_per_s=())
    write(POINT, SECOND, again)
    assert from_journal(tmp_path).points == (again, SECOND)


def test_levels_and_warnings_are_replaced_and_roofs_are_all_kept(write, tmp_path):
    level, warning = replace(LEVEL, bytes_per_s=1.0), replace(WARNING, message="now worse")
    write(ROOF, LEVEL, WARNING, ROOF, level, warning)
    told = from_journal(tmp_path)
    assert told.levels == (level,)
    assert told.warnings == (warning,)
    assert told.roofs == (ROOF, ROOF)


@pytest.mark.parametrize("ending", ["point", "complete"])
def test_a_crash_at_any_byte_of_the_last_line_loses_at_most_that_line(write, tmp_path, ending):
    journal = write(POINT)
    before = len((tmp_path / "journal.jsonl").read_bytes())
    if ending == "point":
        journal.append(SECOND)
    else:
        journal.complete()
    whole = (tmp_path / "journal.jsonl").read_bytes()
    last = from_journal(tmp_path)
    for cut in range(before, len(whole) + 1):
        (tmp_path / "journal.jsonl").write_bytes(whole[:cut])
        told = from_journal(tmp_path)
        assert told in (replace(last, complete=False, points=(POINT,)), last)
        assert told == last or cut < len(whole)


def test_a_crash_inside_the_header_is_a_run_that_did_not_begin(write, tmp_path):
    write()
    whole = (tmp_path / "journal.jsonl").read_bytes()
    for cut in range(0, len(whole) - 1, 7):
        (tmp_path / "journal.jsonl").write_bytes(whole[:cut])
        with pytest.raises(BadFile, match="no profile header"):
            from_journal(tmp_path)


def test_after_a_crash_the_run_goes_on_and_says_so(write, tmp_path):
    write(POINT, SECOND).close()
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    journal = Journal(tmp_path)
    journal.resumed()
    journal.append(SECOND)
    journal.complete()
    journal.close()
    told = from_journal(tmp_path)
    assert told == replace(empty(), points=(POINT, SECOND), complete=True, resumed=True)


def test_a_complete_run_that_is_resumed_is_not_complete_until_it_says_so_again(write, tmp_path):
    journal = write(POINT)
    journal.complete()
    journal.resumed()
    assert not from_journal(tmp_path).complete
    journal.complete()
    assert from_journal(tmp_path).complete


def test_what_was_read_from_a_journal_is_still_there_after_resuming(write, tmp_path):
    """The crash took the last line's end alone."""
    write(POINT, SECOND).close()
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    earlier = from_journal(tmp_path).points
    journal = Journal(tmp_path)
    journal.resumed()
    journal.close()
    assert from_journal(tmp_path).points == earlier


@pytest.mark.parametrize("line", ["{", "5", "null", "{}", '{"point": 1, "roof": 2}'])
def test_a_broken_line_in_the_middle_is_refused_by_its_number(write, tmp_path, line):
    write(POINT).close()
    path = tmp_path / "journal.jsonl"
    header, point, _ = path.read_text().split("\n")
    path.write_text(f"{header}\n{line}\n{point}\n")
    with pytest.raises(BadFile, match="line 2"):
        from_journal(tmp_path)


@pytest.mark.parametrize("line", ['["point"]', "[[1]]"])
def test_a_list_in_the_middle_is_refused_by_its_number(write, tmp_path, line):
    test_a_broken_line_in_the_middle_is_refused_by_its_number(write, tmp_path, line)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"verdict": 1}', "unknown entry 'verdict'"),
        ('{"point": {"status": "ok"}}', "line 2: Object missing required field case"),
        ('{"point": []}', "line 2"),
        (
            '{"levels": [{"device": 1, "name": "L1", "up_to_bytes": 1, "bytes_per_s": 1}]}',
            "line 2[0].device",
        ),
    ],
)
def test_a_line_that_means_nothing_is_refused(write, tmp_path, line, named):
    write().close()
    path = tmp_path / "journal.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(BadFile) as caught:
        from_journal(tmp_path)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_findings_without_a_header_are_no_profile(write, tmp_path):
    write(POINT).close()
    path = tmp_path / "journal.jsonl"
    path.write_text(path.read_text().split("\n", 1)[1])
    with pytest.raises(BadFile, match="no profile header"):
        from_journal(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("schema", "rnn-roofline/3"), ("method", records.METHOD + 1)]
)
def test_a_journal_of_another_schema_or_method_is_refused(write, tmp_path, field, value):
    write(POINT).close()
    path = tmp_path / "journal.jsonl"
    header, rest = path.read_text().split("\n", 1)
    entry = json.loads(header)
    entry["profile"][field] = value
    path.write_text(json.dumps(entry) + "\n" + rest)
    with pytest.raises(BadFile, match=str(value)):
        from_journal(tmp_path)


def test_a_journal_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(BadFile, match="cannot be read: not UTF-8 text"):
        from_journal(tmp_path)


def test_there_is_no_journal_in_an_empty_folder(tmp_path):
    with pytest.raises(BadFile, match="cannot be read: No such file"):
        from_journal(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_not_finite_never_reaches_the_disk(write, tmp_path, value):
    journal = write(POINT)
    with pytest.raises(ValueError, match="Out of range float"):
        journal.append(replace(SECOND, error=value))
    assert from_journal(tmp_path).points == (POINT,)


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


def test_a_journal_of_too_many_values_is_refused(tmp_path, monkeypatch):
    Journal.start(tmp_path, PROFILE).close()
    monkeypatch.setattr(reader, "MOST_VALUES", 10)
    with pytest.raises(BadFile, match="more than the 10 values"):
        from_journal(tmp_path)


def test_the_journal_of_an_interrupted_run_of_schema_1_is_refused_by_name(tmp_path):
    journal = Journal.start(tmp_path, replace(PROFILE, schema="rnn-roofline/1"))
    journal.append(POINT)
    journal.close()
    with pytest.raises(BadFile, match=r"journal\.jsonl: an older version's journal"):
        from_journal(tmp_path)


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
