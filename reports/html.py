"""A document as one self-contained page: pictures inline, no request to anywhere, readable on paper and on a phone."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from reports.plots import GRID, INK, MUTED, PAPER

if TYPE_CHECKING:
    from reports.document import Document

HERE = Path(__file__).resolve().parent
THEMED = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    "#0072b2": "var(--blue)",
}
"""The picture's neutral colours follow the page's light or dark theme."""


def render(document: Document, pictures: dict[str, str]) -> str:
    """The page; `pictures` are the SVG files' texts by name. Everything that came from the profile is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        document=document,
        pictures={name: Markup(inlined(name, svg)) for name, svg in pictures.items()},
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        # The only script that may run is ours: text of a profile that slipped through would stay text.
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
    )


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
