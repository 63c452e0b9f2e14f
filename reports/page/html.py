"""A document as one self-contained page: opened from disk it asks nothing of any network.

On a screen its plots are drawn by Plotly, whose script is in the page; on paper, and where no script runs, they are
matplotlib's pictures. Only scripts known by their hash may run, so that text of a profile that slipped through its
escaping would stay text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reports.page.document import Document, Listing
from reports.plots.style import GRID, INK, MUTED, PAPER

HERE = Path(__file__).resolve().parent
SCRIPTS = ("page_tables.js", "page_charts.js", "page_plots.js")
PLOTLY = Path("package_data", "plotly.min.js")
THEMED = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    "#0072b2": "var(--blue)",
}
"""The picture's neutral colours follow the page's light or dark theme."""

FIRST_ROWS = 400
"""Rows of a table that stand in the page as such; the rest are data that its script shows (as `ROWS_AT_ONCE` does)."""

LONG = 24
"""A table of more rows than this can be filtered."""


def render(document: Document, pictures: dict[str, str], data: dict[str, Any] | None = None) -> str:
    """The page; `pictures` are the SVG files' texts by name, `data` is what `interactive.data` gives.

    Everything that came from the profile is escaped, as markup or as JSON. Without `data` the plots are still pictures.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ours = "".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    scripts = [text for text in (plotly() if data else None, ours) if text is not None]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return environment.get_template("page.html.j2").render(
        document=document,
        pictures={name: Markup(inlined(name, svg)) for name, svg in pictures.items()},
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        data=Markup(embedded(data)) if data else None,
        live=data is not None and len(scripts) > 1,
        first=FIRST_ROWS,
        long=LONG,
        rest=lambda block: Markup(rest(block)),
        policy=f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {hashes}",
    )


@cache
def plotly() -> str | None:
    """Plotly's script as its Python package ships it; None where that is not installed."""
    found = find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / PLOTLY
    if not path.is_file():
        return None
    # Within the element a closing tag would end it, even inside a string of the script.
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")


def embedded(data: object) -> str:
    """Data as JSON that no reader of HTML can take for markup: no `<`, `>` or `&` is in it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escapes: dict[str, str | int | None] = {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
    return text.translate(str.maketrans(escapes))


def rest(block: Listing) -> str:
    """The rows of a table beyond the first: a text that recurs is written once and stands as its number."""
    texts = [[cell.text for cell in row] for row in block.table.rows[FIRST_ROWS:]]
    seen: dict[str, int] = {}
    for row in texts:
        for text in row:
            seen[text] = seen.get(text, 0) + 1
    words = {text: index for index, text in enumerate(t for t, n in seen.items() if n > 1)}
    coded = [[words.get(text, text) for text in row] for row in texts]
    return embedded({"words": list(words), "rows": coded})


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def inlined(name: str, svg: str) -> str:
    """An SVG file's text as an element of a page: its own ids, its width left to the page, its colours to the theme."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, variable)
    return svg
