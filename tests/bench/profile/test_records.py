"""Records: what is written is read back, samples pair, and a key tells what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from bench.profile import reader
from bench.profile.journal import write_profile
from bench.profile.records import Point
from kernels.case import Case
from tests.bench.profile.samples import CASE, POINT, PROFILE, changed, refused


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


def test_samples_that_do_not_pair_are_refused():
    refused(changed("points.0.seconds", [1e-5]))


def test_a_status_nobody_knows_is_refused():
    refused(changed("points.0.status", "fine"))


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
