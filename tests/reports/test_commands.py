"""compare, predict and gallery as a user starts them: what they print and write, and one line for bad input."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

from bench.profile.errors import BadFile
from bench.profile.journal import write_profile
from reports import __main__, locate
from reports.analysis.analysis import Analysis
from reports.compare import measured
from reports.page import build, site
from tests.reports import synthetic
from tests.reports.compare.test_match import noisy, slowed


@pytest.fixture(autouse=True)
def _closed():
    """No figure outlives its test."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def folders(tmp_path):
    """Six runs of one machine, the last three 10 % slower."""
    made = synthetic.suite()
    found = []
    for index, factor in enumerate((1.0, 1.0, 1.0, 1.1, 1.1, 1.1)):
        folder = tmp_path / f"run{index}"
        folder.mkdir()
        write_profile(slowed(noisy(made, index, 0.002), factor), folder)
        found.append(str(folder))
    return found


def run(capsys, *arguments):
    """Exit code, standard output and error of a command."""
    code = __main__.main(arguments)
    found = capsys.readouterr()
    return code, found.out, found.err


def test_compare_prints_ratios_ranking_and_what_differs_and_writes_them(folders, tmp_path, capsys):
    out = tmp_path / "out"
    code, text, err = run(capsys, "compare", folders[0], folders[3], "--out", str(out))
    assert (code, err) == (0, "")
    for words in ("Ratios", "Ranking per cell", "no verdict", "B over A: time 1.10"):
        assert words in text
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    plots = {f"plots/rooflines.{kind}" for kind in ("svg", "png", "pdf")}
    assert written == {"compare.md", "compare.html", "compare.csv", *plots}
    markdown, page = ((out / name).read_text() for name in ("compare.md", "compare.html"))
    # paths outside the checkout are cut off, and where make puts temporary files is inside it
    assert re.search(r"python -m reports compare \S+/run0 \S+/run3", markdown)
    assert "1.10" in markdown
    assert 'src="data:image/svg+xml;base64,' in page
    for text in (markdown, page):
        assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("percent", "code", "word"), [("5", 1, "FAILED"), ("15", 0, "PASSED"), ("10", 3, "INCONCL")]
)
def test_the_gate_decides_the_exit_code_and_says_it_first(folders, capsys, percent, code, word):
    found, text, _ = run(capsys, "compare", *folders, "--fail-if-slower", percent)
    assert found == code
    assert text.startswith(word)


def test_a_folder_of_runs_is_a_side(folders, tmp_path, capsys):
    for name, runs in (("before", folders[:3]), ("after", folders[3:])):
        for index, one in enumerate(runs, 1):
            shutil.copytree(one, tmp_path / name / str(index))
        (tmp_path / name / "log.txt").touch()
    paths = [str(tmp_path / name) for name in ("before", "after")]
    code, text, _ = run(capsys, "compare", *paths)
    assert code == 0
    assert re.search(r"B over A: time 1\.10 \(1\.10\) over \d+ points: \d+ slower", text)
    assert run(capsys, "compare", *paths, "--fail-if-slower", "5")[0] == 1


def test_a_profile_against_a_published_machine_tells_its_defects(folders, capsys):
    code, text, _ = run(capsys, "compare", folders[0], "NVIDIA P100")
    assert code == 0
    assert "No equal work" in text
    assert "Total times are wrong in 38" in text
    assert "datasheet figures" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "0"], ["compare", "0", "0"], ["compare", "0", "gone"], ["compare", "0", "strange"],
        ["compare", "0", "empty"], ["compare", "0", "1", "--fail-if-slower", "5"],
        ["compare", "0", "1", "2", "3", "--fail-if-slower", "5"],
        ["compare", "0", "1", "2", "3", "4", "5", "--fail-if-slower", "-1"], ["predict", "0", "--on", "0"],
        ["predict", "0", "--on", "gone"], ["compare", "NVIDIA P100", "nvidia p100"],
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_code_two_and_writes_nothing(
    folders, tmp_path, capsys, arguments
):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "profile.json").write_text('{"schema": "rnn-roofline/99"}')
    (tmp_path / "empty").mkdir()
    write_profile(replace(synthetic.suite(), points=()), tmp_path / "empty")
    names = {str(index): folder for index, folder in enumerate(folders)}
    names |= {name: str(tmp_path / name) for name in ("gone", "strange", "empty")}
    paths = arguments if "--fail-if-slower" not in arguments else arguments[:-2]
    rest = arguments[len(paths) :]
    out = tmp_path / "out"
    code, text, err = run(capsys, *(names.get(a, a) for a in paths), *rest, "--out", str(out))
    assert code == 2
    assert text == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not out.exists()


def test_predict_prints_its_error_and_writes_a_csv(tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ("predict", "NVIDIA TitanXp", "--on", "NVIDIA P100", "--out", str(out))
    code, text, _ = run(capsys, *arguments)
    assert code == 0
    assert re.search(r"Error over \d+ steps known on both: median \d+ %", text)
    assert (out / "predict.csv").read_text().startswith("source,target,cell,")


def test_repeatability_reads_the_runs_of_a_folder_and_writes_a_csv(folders, tmp_path, capsys):
    side = tmp_path / "side"
    for number, folder in enumerate(folders, 9):
        shutil.copytree(folder, side / str(number))
    out = tmp_path / "out"
    code, text, err = run(capsys, "repeatability", str(side), "--out", str(out))
    assert (code, err) == (0, "")
    assert "What holds" in text
    lines = (out / "repeatability.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(point.status == "ok" for point in synthetic.suite().points)
    assert run(capsys, "repeatability", *folders, "--out", str(out))[0] == 0
    assert (out / "repeatability.csv").read_text().splitlines() == lines


@pytest.mark.parametrize("arguments", [["0"], ["0", "0"], ["0", "gone"]])
def test_repeatability_refuses_in_one_line(folders, tmp_path, capsys, arguments):
    names = {"0": folders[0], "gone": str(tmp_path / "gone")}
    code, text, err = run(capsys, "repeatability", *(names[one] for one in arguments))
    assert (code, text) == (2, "")
    assert err.count("\n") == 1


@pytest.fixture
def home(tmp_path):
    """A gallery of two machines."""
    made = synthetic.suite()
    machine = {**made.machine, "id": "far", "label": "Far & <b>away</b>"}
    for name, one in (("2025-01-02-box", made), ("2025-01-03-far", slowed(made, 2.0))):
        folder = tmp_path / "gallery" / name
        folder.mkdir(parents=True)
        write_profile(replace(one, machine=machine) if "far" in name else one, folder)
    return tmp_path


def test_the_site_has_a_page_per_machine_and_pages_that_compare_all_linked(
    home, tmp_path, monkeypatch
):
    monkeypatch.setattr("reports.plots.chart_data.pictures", lambda *_: {})
    monkeypatch.setattr("reports.plots.comparison.draw", lambda *_: None)
    monkeypatch.setattr(
        "reports.page.build.CHECKOUT", tmp_path
    )  # a site within it still links to nothing beside it
    page = site.build_site(tmp_path / "site", home)
    text = page.read_text()
    links = re.findall(r'href="([^"#]+)"', text)
    machines = [link for link in links if link.startswith("machines/")]
    compared = [link for link in links if link.startswith("compare/")]
    assert len(machines) == 2
    assert any("box--2025-01-03-far" in link for link in compared)
    assert any("nvidia-p100" in link for link in compared)
    assert len(links) == len(machines) + len(compared)
    for link in links:
        assert (page.parent / link).is_file()
    assert (page.parent / "machines" / "2025-01-02-box" / "profile.json").is_file()
    assert "<b>away" not in text
    for report in page.parent.rglob("*.html"):
        there = report.read_text()
        assert str(tmp_path) not in there
        assert not re.search(r'href="[^"]*METHODOLOGY', there)
    assert not list(page.parent.glob(".report-*"))


def test_the_ranking_of_the_site_begins_with_the_fastest(home):
    machines = []
    for name in locate.gallery(home):
        profile, folder = locate.load(name, home)
        analysis = Analysis(profile)
        machines.append(site.Machine(name, folder, analysis, measured.system(analysis, name)))
    first, second = site._machines(machines[::-1]).rows
    assert (first[1].text, second[1].text) == ("2025-01-02-box", "2025-01-03-far")
    assert second[2].sort == pytest.approx(2 * first[2].sort)


def test_a_gallery_without_or_with_a_bad_profile_writes_nothing(home, tmp_path):
    out = tmp_path / "site"
    (home / "gallery" / "2025-01-03-far" / "profile.json").write_text("{}")
    with pytest.raises(BadFile):
        site.build_site(out, home)
    shutil.rmtree(home / "gallery")
    with pytest.raises(locate.BadInput, match="no profile yet"):
        site.build_site(out, home)
    assert not out.exists()


def test_a_report_that_stands_alone_links_to_nothing_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr("reports.plots.chart_data.pictures", lambda *_: {})
    inside = build.CHECKOUT / "reports" / "runs" / tmp_path.name
    try:
        made = synthetic.profile([synthetic.point()])
        linked = build.build(Analysis(made), inside).page.read_text()
        alone = build.build(Analysis(made), inside, alone=True).page.read_text()
    finally:
        shutil.rmtree(inside, ignore_errors=True)
    assert 'METHODOLOGY.md"' in linked
    assert 'METHODOLOGY.md"' not in alone
