"""A document as report.md: what GitHub and any text viewer show, with links to the pictures beside it. Pure."""

import re
from functools import lru_cache

from reports.page.document import (
    Block,
    Code,
    Document,
    Items,
    Link,
    Listing,
    Paragraph,
    Picture,
    Warnings,
)
from reports.tables.columns import Table


def render(document: Document) -> str:
    """The whole document. Text from a profile is escaped: it can neither mark up nor break a table."""
    parts = [
        f"# {escape(document.title)}",
        f"**{escape(document.headline)}**",
        escape(document.subtitle),
    ]
    for section in document.sections:
        parts.append(f"## {escape(section.title)}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


@lru_cache(maxsize=1 << 16)
def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    plain = " ".join(text.split())
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"([\\`*|\[\]])", r"\\\1", plain)
    # Underscores and tildes within words mean nothing; at a word's edge they would.
    return re.sub(r"(?<!\w)([_~#])|([_~])(?!\w)", r"\\\g<0>", plain)


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return escape(text)
        case Items(items, numbered):
            return "\n".join(
                f"{f'{i}.' if numbered else '-'} {escape(item)}" for i, item in enumerate(items, 1)
            )
        case Picture(name, title, caption):
            return (
                f"### {escape(title)}\n\n![{escape(title)}](plots/{name}.svg)\n\n{escape(caption)}"
            )
        case Listing(title, table, folded):
            if not folded:
                return table_text(table)
            return (
                f"<details><summary>{escape(title)}</summary>\n\n{table_text(table)}\n\n</details>"
            )
        case Code(text):
            return "\n".join(f"    {line}" for line in text.splitlines())
        case Link(text, label, href):
            return f"{escape(text)} " + (f"[{escape(label)}](<{href}>)" if href else escape(label))
        case Warnings(_, code, advice, items):
            lines = [f"- {escape(about)}: {escape(message)}" for about, message in items]
            return "\n".join([f"**{escape(code)}** ({escape(advice)})", "", *lines])


def table_text(table: Table) -> str:
    """A table, numbers to the right."""
    lines = [table.header, tuple("---:" if number else "---" for number in table.numeric)]
    lines += [tuple(escape(cell.text) for cell in row) for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
