"""A report on disk, and the commands: whole files, exit codes, errors of one line."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.profile.journal import write_profile
from bench.profile.records import Point
from reports import __main__
from reports.analysis.analysis import Analysis
from reports.locate import BadInput
from reports.page import build
from tests.reports import synthetic
from tests.reports.synthetic import profile

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report on one point, built once."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    return build.build(Analysis(profile([synthetic.point(fraction=0.9)])), folder)


@pytest.fixture
def quick(monkeypatch):
    """Builds without pictures: they take seconds."""
    monkeypatch.setattr("reports.plots.chart_data.pictures", lambda *_: {})


def test_a_report_is_all_of_its_files_and_nothing_else(report):
    pictures = ("roofline", "time_roofline", "time_against_batch", "bandwidth_against_working_set")
    expected = {"report.md", "report.html", "points.csv"}
    expected |= {f"plots/{name}.{kind}" for name in pictures for kind in ("svg", "png", "pdf")}
    found = {
        path.relative_to(report.folder).as_posix()
        for path in report.folder.rglob("*")
        if path.is_file()
    }
    assert found == expected
    assert report.page == report.folder / "report.html"
    assert not report.impossible


def test_every_link_of_the_text_leads_to_a_file(report):
    for target in re.findall(r"!\[[^]]*\]\(([^)]*)\)", (report.folder / "report.md").read_text()):
        assert (report.folder / target).is_file()


def test_the_page_holds_its_pictures(report):
    text = report.page.read_text()
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text.split("<script", 1)[0])
    assert len(pictures) == 4
    assert b"DRAM 52 GB/s" in base64.b64decode(pictures[0])


def test_no_folder_of_this_machine_is_published(report):
    for path in report.folder.glob("report.*"):
        assert str(report.folder.parent) not in path.read_text()
        assert str(CHECKOUT) not in path.read_text()
    told = f"python -m reports build {build.shown(report.folder)}"
    assert told in (report.folder / "report.md").read_text()


def test_a_report_within_the_checkout_names_its_folder_and_the_method():
    folder = CHECKOUT / "reports" / "runs" / "x"
    assert build._command(folder, None) == "python -m reports build reports/runs/x"
    assert build._command(folder, "latest; rm x") == "python -m reports build 'latest; rm x'"
    link = build._methodology(folder)
    assert link == ("../../../bench/METHODOLOGY.md" if build.METHODOLOGY.is_file() else None)


@pytest.mark.usefixtures("quick")
def test_a_failed_build_leaves_the_old_report_as_it_was(tmp_path, monkeypatch):
    made = profile([synthetic.point()])
    build.build(Analysis(made), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reports.page.html.render", full)
    with pytest.raises(BadInput, match="No space left on device: name another folder with --out"):
        build.build(Analysis(made), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("quick")
def test_a_draft_that_a_killed_process_left_is_removed_and_anothers_is_not(tmp_path):
    for name in (".report-dead", ".report-busy"):
        (tmp_path / name / "plots").mkdir(parents=True)
    os.utime(tmp_path / ".report-dead", (1, 1))
    build.build(Analysis(profile([synthetic.point()])), tmp_path)
    assert [path.name for path in tmp_path.glob(".report-*")] == [".report-busy"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot be written: .*: name another folder with --out"):
        build.build(Analysis(profile()), tmp_path / "file" / "out")


@pytest.mark.parametrize(("fraction", "code"), [(0.9, 0), (1.2, 1)])
@pytest.mark.usefixtures("quick")
def test_build_prints_the_headline_and_the_page(tmp_path, capsys, fraction, code):
    write_profile(profile([synthetic.point(fraction=fraction)]), tmp_path)
    assert __main__.main(["build", str(tmp_path)]) == code
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("On Synthetic CPU")
    assert out[1] == str(tmp_path / "report.html")


@pytest.mark.usefixtures("quick")
def test_build_writes_where_it_is_told(tmp_path):
    write_profile(profile(), tmp_path)
    assert __main__.main(["build", str(tmp_path), "--out", str(tmp_path / "a" / "b")]) == 0
    assert (tmp_path / "a" / "b" / "report.html").is_file()
    assert not (tmp_path / "report.html").exists()
    text = (tmp_path / "a" / "b" / "report.md").read_text()
    assert f"    python -m reports build {build.shown(tmp_path)}\n" in text


@pytest.mark.parametrize(
    ("points", "complete", "code", "words"),
    [
        (
            [synthetic.point()],
            True,
            0,
            "complete, 1 good, 0 failed, 0 skipped, 0 impossible, 0 without a verdict, 0 warnings",
        ),
        ([synthetic.point()], False, 1, "not complete, 1 good"),
        ([synthetic.point(fraction=1.2)], True, 1, "1 impossible"),
        ([Point(synthetic.point().case, "a", "failed")], True, 1, "0 good, 1 failed"),
        ([replace(synthetic.point(), roof_bytes_per_s=())], True, 1, "1 without a verdict"),
        (
            [replace(synthetic.point(), roof_bytes_per_s=()), synthetic.point(batch=2)],
            True,
            0,
            "1 without a verdict",
        ),
        ([Point(synthetic.point().case, "a", "skipped")], True, 0, "0 failed, 1 skipped"),
    ],
)
def test_check_counts_and_judges(tmp_path, capsys, points, complete, code, words):
    write_profile(profile(points, complete=complete), tmp_path)
    assert __main__.main(["check", str(tmp_path)]) == code
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("name", ["project", "machine", "environment", "settings"])
def test_check_refuses_a_profile_that_tells_nothing_of_what_was_measured_or_how(
    tmp_path, capsys, name
):
    write_profile(profile([synthetic.point()], **{name: {}}), tmp_path)
    assert __main__.main(["check", str(tmp_path)]) == 1
    found = capsys.readouterr()
    assert name in found.out
    assert (found.out.count("\n"), found.err) == (1, "")


def test_check_looks_at_every_profile_whatever_the_first_is(tmp_path, capsys):
    write_profile(profile([synthetic.point()]), tmp_path)
    assert __main__.main(["check", "nonesuch", str(tmp_path)]) == 2
    found = capsys.readouterr()
    assert "1 good" in found.out
    assert found.err.startswith("error: nonesuch: no such file")
    assert found.err.count("\n") == 1


@pytest.mark.parametrize("content", ["", "{}", '{"schema": "other/1"}', "[1", '{"schema": 3}'])
def test_a_file_that_is_no_profile_is_one_line_and_code_two(tmp_path, capsys, content):
    path = tmp_path / "profile.json"
    path.write_text(content)
    assert __main__.main(["build", str(path)]) == 2
    found = capsys.readouterr()
    assert found.err.startswith(f"error: {path}: ")
    assert found.err.count("\n") == 1
    assert found.out == ""


def test_bad_usage_is_code_two_and_help_shows_an_example(capsys):
    for arguments in ([], ["compare"], ["predict", "a"], ["build"]):
        with pytest.raises(SystemExit) as caught:
            __main__.main(arguments)
        assert caught.value.code == 2
    for arguments in (
        ["--help"],
        ["build", "--help"],
        ["check", "--help"],
        ["compare", "--help"],
        ["repeatability", "--help"],
        ["predict", "--help"],
        ["gallery", "--help"],
    ):
        with pytest.raises(SystemExit) as caught:
            __main__.main(arguments)
        assert caught.value.code == 0
    assert capsys.readouterr().out.count("example: python -m reports") == 7


def test_help_loads_no_library():
    code = (
        "import sys; from reports.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numba', 'matplotlib', 'pandas', 'jinja2', 'numpy', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_building_loads_neither_torch_nor_numba():
    code = (
        "import sys, reports.page.build, reports.tables.points\n"
        "import reports.plots.measured_roofline, reports.plots.batch, reports.plots.bandwidth\n"
        "heavy = {'torch', 'numba', 'kernels.implementations', 'kernels.cost'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
