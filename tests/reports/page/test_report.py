"""The report as text and page: what stands in it, in which order, and that a profile cannot speak through it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bench.profile.records import Point, RunWarning
from bench.profile.stats import median
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.page import html, markdown, report
from reports.tables import points as tables
from tests.reports import synthetic
from tests.reports.synthetic import profile

HOSTILE = "<script>alert(1)</script>|[x](javascript:alert(1))`\n# no"


def document(made, **fields):
    """The document of a profile without pictures."""
    known = {"pictures": {}, "command": "python -m reports build x", "methodology": None} | fields
    return report.document(Analysis(made), **known)


class Tags(HTMLParser):
    """Collects a page's elements and their attributes; notices those that do not close."""

    VOID = frozenset({"meta", "input", "br", "link", "img", "path", "use"})

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self._open.pop() == tag


def hostile():
    """A profile with markup wherever a profile holds text."""
    point = replace(synthetic.point(), version=HOSTILE)
    failed = Point(replace(point.case, batch=2), HOSTILE, "failed", reason=HOSTILE)
    return profile(
        [point, failed],
        suite=HOSTILE,
        created=HOSTILE,
        machine={
            "label": HOSTILE,
            "os": HOSTILE,
            "cpu": {"model": HOSTILE, "caches": [{"type": HOSTILE}]},
        },
        environment={"packages": {HOSTILE: HOSTILE}, "variables": {HOSTILE: HOSTILE}},
        warnings=(RunWarning(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
    )


def test_sections_stand_in_the_designs_order():
    part = synthetic.point(part="linear")
    names = [
        section.name
        for section in document(
            profile([synthetic.point(), part]), pictures={"roofline": ("roofline", "cpu")}
        ).sections
    ]
    assert names == [
        "warnings",
        "pictures",
        "verdicts",
        "linear",
        "claims",
        "points",
        "machine",
        "method",
        "command",
    ]


def test_the_headline_opens_the_report_and_warnings_precede_every_figure():
    made = profile([synthetic.point(fraction=1.2)])
    text = markdown.render(document(made, pictures={"roofline": ("roofline", "cpu")}))
    assert (
        text.index(Analysis(made).headline) < text.index("impossible") < text.index("roofline.svg")
    )


def test_a_warning_about_many_points_names_a_few_and_says_how_many_more():
    warning = RunWarning("noisy", ", ".join("abcde"), "5 points were noisy", "measure longer")
    text = markdown.render(document(profile(warnings=(warning,))))
    assert "- a, b, c and 2 more, named at each point: 5 points were noisy" in text


def test_the_claims_stand_with_their_verdict_their_experiment_and_their_figures():
    text = markdown.render(document(profile([synthetic.point(fraction=0.4)])))
    lines = text[text.index("## Claims about the hardware") :].splitlines()
    (claim,) = (line for line in lines if line.startswith("| 2 | These layers need memory"))
    assert "| not supported here | residency, bytes, batch and threads" in claim
    assert any(line.startswith("| 2 | lstm, H 1024, streamed") for line in lines)
    assert "Claims about the hardware" not in markdown.render(document(profile()))


def test_each_verdict_that_occurs_says_what_to_do_and_no_other_does():
    slow, quick = synthetic.point(fraction=0.4), synthetic.point(fraction=0.9)
    for made, name, other in ((slow, "implementation", "bandwidth"), (quick, "bandwidth", "mixed")):
        text = " ".join(markdown.render(document(profile([made]))).split())
        assert " ".join(report.READING[name].split()) in text
        assert " ".join(report.READING[other].split()) not in text


def test_experiments_and_the_roofs_against_threads_stand_with_the_verdicts():
    points = [synthetic.point(fraction=0.9, batch=batch) for batch in (1, 2)]
    text = markdown.render(document(profile(points)))
    assert "| batch | B 1 \N{RIGHTWARDS ARROW} 2 |" in text
    assert "supports bandwidth" in text
    # Over memory 0.55 times 52 GB/s with one thread.
    assert "| 1 | 28.6 | 1.00 |" in text
    alone = replace(profile(points), roofs=tuple(r for r in profile().roofs if r.threads == 2))
    assert "one thread |" not in markdown.render(document(alone))


def test_the_command_and_the_method_are_in_it():
    text = markdown.render(document(profile(), methodology="../../bench/METHODOLOGY.md"))
    assert "    python -m reports build x" in text
    assert "[METHODOLOGY.md](<../../bench/METHODOLOGY.md>)" in text
    assert len(report.METHOD) == 10
    assert "METHODOLOGY.md" in markdown.render(document(profile()))


def test_every_picture_says_how_to_read_it_and_what_its_marks_are():
    for _, caption in report.CAPTIONS.values():
        assert "best-of-N" in caption
        assert "medians with" in " ".join(caption.split())


def test_every_bound_is_marked_unconfirmed_wherever_it_stands():
    made = profile([synthetic.point(fraction=0.9)])
    text = markdown.render(document(made))
    assert text.count("bandwidth (DRAM)") == text.count("bandwidth (DRAM) \N{DAGGER}") == 4
    assert wording.LEGEND in text


def test_a_profile_cannot_mark_up_the_text():
    text = markdown.render(document(hostile()))
    assert "<script" not in text
    # Every line of a table has as many bars as the line above it, escaped ones aside.
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert not re.search(r"(?<!\\)\[x", text)
    assert "\n# no" not in text


def test_a_profile_cannot_mark_up_the_page():
    text = html.render(document(hostile()), {})
    found = Tags(text).found
    assert [tag for tag, _ in found].count("script") == 1
    assert "&lt;script&gt;" in text
    assert not any(
        value and "javascript:" in value for tag, a in found if tag == "a" for value in a.values()
    )


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched():
    text = html.render(document(profile()), {})
    policy = next(a["content"] for tag, a in Tags(text).found if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    for tag, attributes in Tags(text).found:
        for name in ("src", "href", "action"):
            assert not re.match(r"(?i)\s*(https?:|//)", attributes.get(name) or ""), (
                tag,
                attributes,
            )


def test_the_policys_hash_is_that_of_the_script_as_it_stands_in_the_page():
    text = html.render(document(profile()), {})
    script = re.search(r"<script>(.*)</script>", text, flags=re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in text


def test_a_long_table_is_in_the_page_whole_a_part_of_it_as_data():
    made = profile([synthetic.point(batch=batch) for batch in range(1, html.FIRST_ROWS + 31)])
    text = html.render(document(made), {})
    (rest,) = {
        found
        for found in re.findall(r'class="rest">(.*?)</script>', text)
        if len(json.loads(found)["rows"][0]) == len(tables.points(Analysis(made)).rows[0])
    }
    coded = json.loads(rest)
    rows = [[coded["words"][c] if isinstance(c, int) else c for c in row] for row in coded["rows"]]
    table = tables.points(Analysis(made))
    assert rows == [[cell.text for cell in row] for row in table.rows[html.FIRST_ROWS :]]
    assert len(rows) == 30
    assert f"The first {html.FIRST_ROWS} of {html.FIRST_ROWS + 30} rows" in text
    script = (html.HERE / "page_tables.js").read_text()
    assert f"const ROWS_AT_ONCE = {html.FIRST_ROWS};" in script


def test_a_picture_is_an_image_of_which_nothing_can_touch_the_page(tmp_path):
    (tmp_path / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')
    made = document(profile(), pictures={"roofline": ("roofline", "cpu")})
    found = Tags(html.render(made, {"roofline": tmp_path / "a.svg"})).found
    (image,) = (attributes for tag, attributes in found if tag == "img")
    head, _, code = image["src"].partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(code) == (tmp_path / "a.svg").read_bytes()
    assert [tag for tag, _ in found].count("script") == 1


def test_the_first_screen_has_the_worst_warnings_a_line_each_and_the_rest_on_demand():
    warnings = tuple(RunWarning(f"w{i}", "run", "said", f"mend {i}") for i in range(7))
    text = html.render(document(profile(warnings=warnings)), {})
    strip = text[text.index('id="warnings"') : text.index("</section>")]
    first, more = strip.split('<details class="more">')
    every, shown = (part.count('<details class="warning') for part in (strip, first))
    assert shown == html.STRIP
    assert f"{every - html.STRIP} more" in more
    assert "<details open" not in strip


def test_a_cell_carries_the_number_that_it_sorts_by():
    made = profile([synthetic.point(fraction=0.9)])
    text = html.render(document(made), {})
    seconds = Analysis(made).held[made.points[0].key][0].seconds.median
    sorts = [float(a["data-sort"]) for _, a in Tags(text).found if "data-sort" in a]
    assert any(one == pytest.approx(seconds, rel=1e-5) for one in sorts)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("torch_cell", "torch_cell"),
        ("_a_ ~b~", "\\_a\\_ \\~b\\~"),
        ("a|b", "a\\|b"),
        ("a & <b>", "a &amp; &lt;b&gt;"),
        ("two\nlines", "two lines"),
        ("*bold* `code` [link]", "\\*bold\\* \\`code\\` \\[link\\]"),
        ("\\|", "\\\\\\|"),
    ],
)
def test_markdown_shows_text_as_it_is(text, escaped):
    assert markdown.escape(text) == escaped


def test_a_profile_that_lacks_everything_still_makes_a_page():
    bare = profile(machine={}, environment={}, project={}, roofs=(), levels=())
    for made in (bare, replace(bare, points=(synthetic.point(),))):
        assert "<main>" in html.render(document(made), {})
        assert markdown.render(document(made)).startswith("# rnn-roofline on this machine")


@pytest.mark.parametrize(
    ("watts", "limit", "told"), [(700, 690.0, True), (700, 710.0, False), (700, None, False)]
)
def test_energy_that_the_gpus_limit_does_not_give_in_a_steps_time_is_told(watts, limit, told):
    """The counter went over a longer time than the step's: a figure of 920 W on a card of 700 W is no power."""
    one = synthetic.point(device="cuda", threads=0)
    one = replace(one, joules=watts * median(one.seconds))
    made = synthetic.profile([one, replace(one, implementation="other", joules=None)])
    made = replace(
        made, machine={**made.machine, "gpus": [{"name": "card", "power_limit_w": limit}]}
    )
    assert ("At 1 of 1 points" in wording.energy(made)) == told
