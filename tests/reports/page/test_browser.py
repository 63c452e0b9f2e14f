"""The page in a real browser: nothing is fetched, nothing is complained of, and what it offers works.

A Chromium or Chrome that is installed is driven by playwright, which brings none here; without either the tests are
skipped with that reason.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from itertools import pairwise

import pytest

from bench.profile.records import Point, RunWarning
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.page import html
from reports.page import report as page
from reports.page.document import Document, Listing, Section
from reports.plots import chart_data, page_data
from reports.tables.columns import Cell, Table
from tests.reports import synthetic
from tests.reports.synthetic import profile

PLOTS = (
    "roofline",
    "time_roofline",
    "time_against_batch",
    "bandwidth_against_working_set",
)
HOSTILE = "<b>b</b><img src=x onerror=alert(1)></script><script>alert(1)</script>"
STILL = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser():
    """A headless browser, one for all tests."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome is installed")
    with api.sync_playwright() as driver:
        # A container's kernel may refuse the sandbox; the page is ours.
        started = driver.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


class Opened:
    """A page with what it complained of and what it asked for."""

    def __init__(self, browser, path, **context):
        self.context = browser.new_context(
            **({"viewport": {"width": 1200, "height": 900}} | context)
        )
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def drawn(self, name):
        """The plot of that name, scrolled to and drawn."""
        plot = self.page.locator(f".plot[data-plot={name}]")
        plot.scroll_into_view_if_needed()
        self.page.wait_for_selector(f".plot[data-plot={name}][data-drawn] .main-svg")
        return plot

    def traces(self, name):
        """What Plotly was given: the marks of points, by trace."""
        return (
            self.drawn(name)
            .locator(".frame")
            .evaluate(
                "frame => frame.data.filter(t => t.customdata)"
                ".map(t => ({name: t.name, points: t.customdata.filter(i => i !== null), symbols: t.marker.symbol}))"
            )
        )

    def points(self, name):
        """The numbers of the points that a plot shows."""
        return sorted(i for trace in self.traces(name) for i in trace["points"])

    def press(self, facet, value):
        """Press a button of the filter and wait for the roofline to follow."""
        self.page.evaluate("document.querySelector('.plot').removeAttribute('data-drawn')")
        self.page.evaluate("document.querySelector('.filters details').open = true")
        self.page.click(f".filters label:has([name='{facet}'][value='{value}'])")
        self.page.wait_for_selector(".plot[data-plot=roofline][data-drawn]")


def written(made, folder, name="report.html"):
    """A profile's page on disk, with empty still pictures: they are not what is tested here."""
    charts = chart_data.charts(Analysis(made))
    still, path = folder / "still.svg", folder / name
    still.write_text(STILL)
    named = {one: (one, "cpu") for one in PLOTS}
    document = page.document(Analysis(made), named, "python -m reports build x", None)
    data = page_data.data(charts)
    path.write_text(html.render(document, dict.fromkeys(PLOTS, still), data), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page on a profile as large as the quick suite's."""
    return written(synthetic.suite(), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def kept(browser, report):
    """That page, opened once: it takes a second."""
    one = Opened(browser, report)
    yield one
    one.context.close()


@pytest.fixture
def opened(kept):
    """That page as it was when it opened."""
    kept.page.emulate_media(media="screen")
    kept.page.mouse.move(0, 0)
    kept.page.locator("#points input").fill("")
    kept.page.evaluate("document.querySelector('.plot').removeAttribute('data-drawn')")
    kept.page.evaluate("document.querySelector('.filters details').open = true")
    kept.page.locator(".filters [type=reset]").click()
    kept.page.wait_for_selector(".plot[data-plot=roofline][data-drawn]")
    kept.page.evaluate("document.querySelector('.filters details').open = false")
    kept.drawn("roofline")
    return kept


def columns():
    """The data of that page."""
    return page_data.data(chart_data.charts(Analysis(synthetic.suite())))


def chosen(data, **wanted):
    """The points whose series have these words."""
    found = []
    for i, point in enumerate(data["points"]):
        words = data["series"][point["series"]] | {"batch": point["batch"]}
        if all(words[key] == value for key, value in wanted.items()):
            found.append(i)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide", [1200, 390])
def test_every_plot_is_drawn_without_a_request_or_a_complaint(browser, report, scheme, wide):
    one = Opened(browser, report, color_scheme=scheme, viewport={"width": wide, "height": 844})
    for name in PLOTS:
        assert one.drawn(name).locator(".main-svg").count() >= 1
    assert one.requests == [report.as_uri()]
    assert one.complaints == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= wide
    one.context.close()


def test_the_page_opens_with_whole_lstm_steps_and_says_how_many_that_is(opened):
    data = columns()
    expected = chosen(data, cell="lstm", part="cell")
    assert opened.points("roofline") == expected
    every = len(data["points"])
    assert opened.page.inner_text(".count") == f"{len(expected)} of {every} measured points shown"


@pytest.mark.parametrize(
    ("facet", "value"),
    [
        ("weights", "streamed"),
        ("dtype", "bfloat16"),
        ("implementation", "torch_gates"),
        ("batch", 4),
        ("H", 2048),
    ],
)
def test_a_filter_leaves_the_points_it_names_in_every_plot(opened, facet, value):
    opened.drawn("roofline")
    opened.press(facet, value)
    expected = chosen(columns(), cell="lstm", **{facet: value})
    assert expected
    for name in PLOTS:
        assert opened.points(name) == expected


def test_a_second_cell_is_added_and_a_pressed_one_released(opened):
    opened.drawn("roofline")
    opened.press("cell", "gru")
    assert opened.points("roofline") == sorted(
        chosen(columns(), cell="lstm") + chosen(columns(), cell="gru")
    )
    opened.press("cell", "lstm")
    assert opened.points("roofline") == chosen(columns(), cell="gru")


def test_a_click_shows_a_series_alone_and_escape_brings_the_others_back(opened):
    before = opened.points("roofline")
    opened.drawn("roofline").locator("path.point").first.click(force=True)
    opened.page.wait_for_selector(".only:not([hidden])")
    opened.page.wait_for_function(
        "n => document.querySelector('.plot .frame').data.flatMap(t => t.customdata ?? [])"
        ".filter(i => i !== null).length < n", arg=len(before)
    )  # fmt: skip
    data = columns()
    assert len({data["points"][i]["series"] for i in opened.points("roofline")}) == 1
    opened.page.keyboard.press("Escape")
    opened.page.wait_for_selector(".only", state="hidden")
    opened.page.wait_for_function(
        "n => document.querySelector('.plot .frame').data.flatMap(t => t.customdata ?? [])"
        ".filter(i => i !== null).length === n", arg=len(before)
    )  # fmt: skip


def test_hovering_tells_case_figures_verdict_and_what_bounds_it(opened):
    opened.drawn("roofline").locator("path.point").first.hover(force=True)
    opened.page.wait_for_selector(".hovertext")
    said = opened.page.text_content(".hovertext")
    made = synthetic.suite()
    texts = []
    for row, found in Analysis(made).held.values():
        if row.case.cell == "lstm":
            texts.append(
                (
                    wording.setting(row.case),
                    f"batch {row.case.batch}",
                    wording.marked(found),
                    found.reason,
                )
            )
    assert any(all(word in said for word in words) for words in texts)
    for word in (
        "time ",
        "GB/s",
        "GFLOP/s",
        "% of its roof",
        "verdict: ",
        "roofs allow",
        "floor of a call",
        "bytes modelled",
    ):
        assert word in said


def test_roofs_carry_their_values_and_ridges_theirs(opened):
    labels = opened.drawn("roofline").locator(".annotation-text").all_text_contents()
    assert {"L1 330 GB/s", "DRAM 52 GB/s", "float32 180 GFLOP/s", "3.46"} <= set(labels)


def test_no_point_is_drawn_above_its_line_though_the_roofs_moved(browser, tmp_path):
    """Roofline and read curve: at its fraction of the line; in times: the roofs allow that fraction of what it took."""
    made = synthetic.moving()
    data = page_data.data(chart_data.charts(Analysis(made)))
    p, (setup, *_) = data["points"], data["setups"]
    one = Opened(browser, written(made, tmp_path))
    rates = {level["name"]: level["rate"] for level in setup["levels"]}
    for name in PLOTS:
        drawn = one.drawn(name).locator(".frame")
        points = drawn.evaluate(
            "frame => frame.data.filter(t => t.customdata)"
            ".flatMap(t => t.customdata.map((i, k) => [i, t.x[k], t.y[k]])).filter(one => one[0] !== null)"
        )
        others = drawn.evaluate(
            "frame => frame.data.filter(t => !t.customdata && t.mode && t.mode.includes('markers'))"
            ".flatMap(t => [...t.x].map((x, k) => [x, t.y[k]])).filter(one => one[0] !== null)"
        )
        assert points
        for i, x, y in points:
            share = p[i]["fraction"]
            if name == "roofline":
                arithmetic = data["series"][p[i]["series"]]["arithmetic"]
                line = min(rates[p[i]["level"]] * x, setup["peaks"][arithmetic])
                assert y / line == pytest.approx(share, rel=1e-4)
            elif name == "time_roofline":
                allowed = pytest.approx((x * share, y * share), rel=1e-4)
                assert any((a, b) == allowed for a, b in others)
            elif name == "time_against_batch":
                allowed = pytest.approx((x, y * share), rel=1e-4)
                assert any((a, b) == allowed for a, b in others)
            else:
                near = [rate for size, rate in setup["curves"][0]["places"] if size <= x]
                assert y <= min(near) * share * (1 + 1e-4)
    one.context.close()


def test_values_of_roofs_and_ridges_never_touch_whatever_the_width_becomes(browser, tmp_path):
    made = synthetic.suite()
    # a second arithmetic roof that no text fits beneath
    roofs = tuple(
        replace(roof, samples=(181e9,)) if roof.dtype == "bfloat16" else roof for roof in made.roofs
    )
    one = Opened(browser, written(replace(made, roofs=roofs), tmp_path))
    for wide, high in ((1200, 600), (390, 420), (900, 600)):
        one.page.set_viewport_size({"width": wide, "height": 844})
        one.drawn("roofline")
        one.page.wait_for_function(
            "high => { const { layout, clientWidth } = document.querySelector('.plot .frame');"
            "return layout.height === high && layout.width === clientWidth && layout.annotations.at(-1).y }",
            arg=high,
        )
        labels = one.page.locator(".plot[data-plot=roofline] .annotation-text")
        boxes = labels.evaluate_all(
            "all => all.map(one => ({text: one.textContent, ...one.getBoundingClientRect().toJSON()}))"
        )
        level = [box for box in boxes if not box["text"].endswith("GB/s")]
        ridges = [float(box["text"]) for box in level if re.fullmatch(r"[\d.]+", box["text"])]
        assert len(ridges) >= 2
        assert all(b > 1.05 * a for a, b in pairwise(sorted(ridges)))
        (flops,) = [box["text"] for box in level if "GFLOP/s" in box["text"]]
        assert flops.replace(",", ", ").split() == ["bfloat16", "181,", "float32", "180", "GFLOP/s"]
        for i, a in enumerate(level):
            for b in level[i + 1 :]:
                beside = a["right"] <= b["left"] or b["right"] <= a["left"]
                assert beside or a["bottom"] <= b["top"] or b["bottom"] <= a["top"], (a, b)
        # a name along a slanted line is as high as it is wide, or nearly
        slanted = [box for box in boxes if box["text"].endswith("GB/s")]
        assert len(slanted) == 4
        assert all(box["height"] > 30 for box in slanted)
        axis = one.page.evaluate(
            "() => { const frame = document.querySelector('.plot .frame');"
            "return frame.getBoundingClientRect().left + frame.layout.margin.l }"
        )
        assert all(box["left"] >= axis for box in slanted)
    one.context.close()


def test_a_mark_is_hollow_where_bytes_are_modelled_and_filled_where_counted(browser, tmp_path):
    counted = {"tool": "cachegrind", "read": 3_000_000, "written": 4096}
    points = [synthetic.point(), replace(synthetic.point(batch=8), counted_bytes=counted)]
    one = Opened(browser, written(profile(points), tmp_path))
    (trace,) = one.traces("roofline")
    assert trace["symbols"] == ["circle-open", "circle"]
    one.context.close()


def test_the_table_of_points_filters_and_sorts(opened):
    points = opened.page.locator("#points")
    every = points.locator("tbody tr").count()
    points.locator("input").fill("gru streamed")
    shown = points.locator("tbody tr").all_inner_texts()
    assert 0 < len(shown) < every
    assert all("gru" in row and "streamed" in row for row in shown)
    heads = points.locator("thead th").all_inner_texts()
    column = next(i for i, head in enumerate(heads) if head.startswith("time"))
    for arrow, order in (("ascending", 1), ("descending", -1)):
        points.locator("thead th").nth(column).click()
        assert points.locator("thead th").nth(column).get_attribute("aria-sort") == arrow
        texts = points.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
        times = [float(text.replace(",", "")) for text in texts if text != "\N{EN DASH}"]
        assert len(times) > 3
        assert times == sorted(times, reverse=order < 0)


def test_numbers_sort_by_what_they_are_and_what_is_missing_stays_last(browser, tmp_path):
    texts = {"\N{MINUS SIGN}0.12": -0.12, "2.00": 2.0, "\N{EN DASH}": None, "1,200": 1200.0}
    rows = tuple((Cell(text, value),) for text, value in texts.items())
    path = tmp_path / "page.html"
    section = Section("x", "X", (Listing("T", Table(("n",), rows)),))
    path.write_text(html.render(Document("t", "h", "s", (section,)), {}), encoding="utf-8")
    one = Opened(browser, path)
    ordered = ["\N{MINUS SIGN}0.12", "2.00", "1,200"]
    for expected in (ordered, ordered[::-1]):
        one.page.locator("th").click()
        assert one.page.locator("td").all_inner_texts() == [*expected, "\N{EN DASH}"]
    one.context.close()


@pytest.mark.slow
def test_a_long_table_is_shown_a_page_at_a_time_and_filtered_whole(browser, tmp_path):
    sizes = range(1, html.FIRST_ROWS + 201)
    one = Opened(browser, written(profile([synthetic.point(batch=b) for b in sizes]), tmp_path))
    points = one.page.locator("#points")
    assert points.locator("tbody tr").count() == html.FIRST_ROWS
    assert points.locator(".pager output").inner_text() == f"1 to {html.FIRST_ROWS} of {len(sizes)}"
    points.locator(".after").click()
    assert points.locator("tbody tr").count() == 200
    points.locator("input").fill("lstm")
    assert points.locator(".search output").inner_text() == f"{len(sizes)} of {len(sizes)}"
    points.locator("thead th").nth(5).click()
    points.locator("thead th").nth(5).click()
    assert points.locator("tbody tr").first.locator("td").nth(5).inner_text() == str(len(sizes))
    assert one.complaints == []
    one.context.close()


def test_paper_shows_the_still_pictures_and_neither_filter_nor_live_plots(opened):
    opened.page.emulate_media(media="print")
    assert not opened.page.locator(".filters").is_visible()
    for name in PLOTS:
        assert not opened.page.locator(f".plot[data-plot={name}]").is_visible()
    assert opened.page.locator(".still").evaluate_all(
        "all => all.every(one => getComputedStyle(one).display !== 'none')"
    )


@pytest.mark.parametrize("size", [(1300, 900), (390, 844)])
def test_the_first_screen_has_the_headline_one_strip_of_warnings_and_the_roofline(
    browser, tmp_path, size
):
    warnings = tuple(RunWarning(f"code {i}", "run", "said " * 40, "mend " * 40) for i in range(9))
    made = replace(synthetic.suite(), warnings=warnings)
    width, height = size
    viewport = {"width": width, "height": height}
    one = Opened(browser, written(made, tmp_path), viewport=viewport)
    one.drawn("roofline")
    one.page.evaluate("scrollTo(0, 0)")
    assert one.page.locator("h1").is_visible()
    assert one.page.locator("#warnings").bounding_box()["height"] < height / 4
    assert one.page.locator(".plot").first.bounding_box()["y"] < 0.85 * height
    first = one.page.locator(".warning summary").first
    assert first.bounding_box()["height"] < 35
    first.click()
    assert one.page.locator(".warning li").first.is_visible()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    one.context.close()


def test_every_plot_is_drawn_without_scrolling_there(opened):
    for name in PLOTS:
        opened.page.wait_for_selector(f".plot[data-plot={name}][data-drawn] .main-svg")


def test_the_filter_is_one_line_until_it_is_opened_and_hides_no_heading(opened):
    bar = opened.page.locator(".filters")
    assert bar.bounding_box()["height"] < 50
    figure = opened.page.locator("figure").nth(1)
    figure.evaluate("figure => figure.scrollIntoView()")
    box = bar.bounding_box()
    assert box["y"] < 5
    assert figure.bounding_box()["y"] >= box["y"] + box["height"]


def test_paper_has_what_a_screen_folds(opened):
    folded = opened.page.locator("details:not([open])")
    assert folded.count() > 2
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folded.count() > 2


def test_a_table_wider_than_its_place_shows_a_shade_at_its_edge(browser, report):
    one = Opened(browser, report, viewport={"width": 900, "height": 800})
    scroll = one.page.locator("#points .scroll")
    assert scroll.evaluate("one => one.scrollWidth > one.clientWidth")
    assert "local" in scroll.evaluate("one => getComputedStyle(one).backgroundAttachment")
    one.context.close()


def test_without_scripts_the_still_pictures_and_the_tables_stand(browser, report):
    one = Opened(browser, report, java_script_enabled=False)
    assert one.page.locator("#points tbody tr").count() > 100
    assert not one.page.locator(".filters").is_visible()
    assert one.page.locator(".still").count() == len(PLOTS)
    one.context.close()


def test_a_profile_cannot_run_a_script_or_add_markup(browser, tmp_path):
    point = replace(synthetic.point(), implementation=HOSTILE)
    failed = Point(replace(point.case, batch=2), HOSTILE, "failed", reason=HOSTILE)
    made = profile(
        [point, failed],
        machine={"label": HOSTILE, "cpu": {"model": HOSTILE}},
        levels=(replace(synthetic.levels()[-1], name=HOSTILE),),
        warnings=(RunWarning(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
    )
    one = Opened(browser, written(made, tmp_path))
    said = []
    one.page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for name in PLOTS:
        one.drawn(name)
    one.page.locator(".plot path.point").first.hover(force=True)
    one.page.wait_for_selector(".hovertext")
    assert HOSTILE in one.page.text_content(".hovertext")
    assert one.page.locator("img:not([src^='data:image/svg'])").count() == 0
    assert said == []
    assert one.requests == [one.page.url]
    assert one.complaints == []
    one.context.close()
