"""What a PROFILE argument stands for, and one line for everything it cannot stand for."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.profile.journal import Journal, write_profile
from reports import locate
from reports.locate import BadInput
from tests.reports import synthetic
from tests.reports.synthetic import profile


@pytest.fixture
def home(tmp_path):
    """A reports folder with a gallery of one and a run."""
    for name in ("gallery/2025-01-02-box", "runs/first"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        write_profile(profile([synthetic.point()]), folder)
    return tmp_path


def test_a_file_a_folder_and_a_gallery_name_are_profiles(home):
    run = home / "runs" / "first"
    for argument in (str(run / "profile.json"), str(run), "2025-01-02-box"):
        made, folder = locate.load(argument, home)
        assert made == profile([synthetic.point()])
        assert folder.is_dir()


@pytest.mark.parametrize("link", ["symlink", "file"])
def test_latest_follows_a_link_or_a_file_with_a_name(home, link):
    latest = home / "runs" / "latest"
    if link == "symlink":
        latest.symlink_to("first")
    else:
        latest.write_text("first\n")
    assert locate.load("latest", home)[1].name == "first"


@pytest.mark.parametrize("text", ["", "gone\n", None])
def test_latest_without_a_run_says_how_to_measure_one(home, text):
    if text is not None:
        (home / "runs" / "latest").write_text(text)
    with pytest.raises(BadInput, match=r"no run in .* yet: measure one with `make report`"):
        locate.load("latest", home)


def test_a_folder_outside_the_checkout_shows_that_what_leads_to_it_is_left_out():
    assert locate.shown(Path("/elsewhere/of/mine/one")) == ".../one"
    assert locate.shown(locate.HOME / "runs" / "one") == "reports/runs/one"


def test_a_journal_stands_in_for_a_profile_that_was_not_written(tmp_path):
    header = replace(profile(), roofs=(), levels=(), complete=False)
    journal = Journal.start(tmp_path, header)
    journal.append(synthetic.point())
    journal.close()
    made, _ = locate.load(str(tmp_path))
    assert made.points == (synthetic.point(),)
    assert not made.complete


def test_the_pytest_benchmark_file_carries_a_profile_too(tmp_path):
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"benchmarks": [], "roofline": asdict(profile())}))
    assert locate.load(str(path))[0] == profile()


def test_what_names_nothing_is_told_what_there_is(home):
    with pytest.raises(BadInput, match=r"nothing: no such .* gallery names are 2025-01-02-box"):
        locate.load("nothing", home)
    (home / "empty").mkdir()
    with pytest.raises(BadInput, match=r"holds no profile.json"):
        locate.load(str(home / "empty"), home)
