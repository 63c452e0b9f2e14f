"""Files as strangers may send them get a good answer or one clear line; `python -m tests.fuzz` reads many more."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.profile import reader
from tests.fuzz import campaign, mutations, targets
from tests.reports import synthetic

TARGETS = {target.name: target for target in targets.all_of_them()}
FILES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_spoilt_file_gets_a_good_answer_or_one_clear_line(folder, name):
    target = TARGETS[name]

    @settings(max_examples=max(2, FILES // target.one_in), suppress_health_check=list(HealthCheck))
    @given(target.files)
    def every(raw):
        with campaign.limit(campaign.LONGEST_SECONDS):
            targets.answer(target, raw, folder)

    every()


@pytest.mark.parametrize("name", ["profile", "benchmark JSON", "journal", "suite", "published set"])
def test_the_files_are_good_before_they_are_spoilt(folder, name):
    good = targets.good()
    raw = {
        "profile": lambda: mutations.as_bytes(good),
        "benchmark JSON": lambda: mutations.as_bytes(targets.carrier(good)),
        "journal": lambda: targets.lines(targets.journal(good)),
        "suite": lambda: targets.toml(targets.PLAN),
        "published set": lambda: targets.toml(targets.SET),
    }[name]()
    assert targets.answer(TARGETS[name], raw, folder)


def test_what_a_reader_should_not_raise_is_counted_with_its_file():
    def read(raw, _folder):
        if raw[:1] == b"a":
            raise KeyError(raw)

    target = targets.Target("breaks", st.sampled_from([b"a1", b"a2", b"b"]), read)
    count = campaign.run(target, examples=50, chosen=0)
    assert count.examples >= 3
    assert count.harmful >= 1
    assert list(count.findings) == ["KeyError at -"]


@pytest.mark.parametrize("label", ["a\x1b[31mb", "a\x1b]0;title\x07b", "a\u202eb", "a\x08b"])
def test_no_name_in_a_profile_steers_the_terminal(label):
    made = synthetic.profile([synthetic.point(), synthetic.point(batch=8, implementation=label)])
    data = json.loads(json.dumps(asdict(made)))
    data["machine"] |= {"label": label, "kernel": label}
    targets.harmless(reader.from_dict(data, "file"))
