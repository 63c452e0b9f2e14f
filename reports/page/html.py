"""A document as one self-contained page: opened from disk it asks nothing of any network.

On a screen its plots are drawn by Plotly, whose script is in the page; on paper, and where no script runs, they are
matplotlib's pictures, as images. Only scripts known by their hash may run, so that text of a profile that slipped
through its escaping would stay text.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reports.page.document import Document, Listing
from reports.plots import style

HERE = Path(__file__).resolve().parent
SCRIPTS = ("page_tables.js", "page_charts.js", "page_plots.js")
PLOTLY = Path("package_data", "plotly.min.js")
FIRST_ROWS = 400
"""Rows of a table that stand in the page as such; the rest are data that its script shows (as `ROWS_AT_ONCE` does)."""

MANY_VALUES = 24
"""Of more values than this the filter of the plots offers a list."""
LONG = 24
"""A table of more rows than this can be filtered."""
STRIP = 4
"""Warnings of the first screen, the worst; what else there is opens on demand."""


def render(
    document: Document, pictures: Mapping[str, Path], data: dict[str, Any] | None = None
) -> str:
    """The page; `pictures` are the SVG files by name, `data` is what `page_data.data` gives.

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
        pictures={name: _image(path) for name, path in pictures.items()},
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        data=data,
        embedded=lambda data: Markup(embedded(data)),
        light=style.LIGHT,
        dark=style.DARK,
        live=data is not None and len(scripts) > 1,
        first=FIRST_ROWS,
        long=LONG,
        strip=STRIP,
        many=MANY_VALUES,
        rest=lambda block: Markup(rest(block)),
        short=_short,
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
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def rest(block: Listing) -> str:
    """The rows of a table beyond the first: a text that recurs is written once and stands as its number.

    `sorts` are the numbers that the cells of a column of numbers sort by.
    """
    rows = block.table.rows[FIRST_ROWS:]
    counts = Counter(cell.text for row in rows for cell in row)
    words = {text: index for index, text in enumerate(t for t, n in counts.items() if n > 1)}
    coded = [[words.get(cell.text, cell.text) for cell in row] for row in rows]
    sorts = {
        column: [_short(row[column].sort) for row in rows]
        for column, numeric in enumerate(block.table.numeric)
        if numeric
    }
    return embedded({"words": list(words), "rows": coded, "sorts": sorts})


def _short(value: float | None) -> float | None:
    """A number to sort by: six digits of a fraction are more than any table shows."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _image(picture: Path) -> str:
    """An SVG file as the address of an image that is in the page itself."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.read_bytes()).decode()
