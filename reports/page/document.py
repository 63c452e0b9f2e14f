"""The parts a report is made of, whatever it is written in: frozen records without any behaviour."""

from dataclasses import dataclass

from reports.tables.columns import Table


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list, numbered or not."""

    items: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot by its file's name, without suffix."""

    name: str
    title: str
    caption: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A table under a title; `folded` where a page may show it on demand, `searched` where it may offer a filter."""

    title: str
    table: Table
    folded: bool = False
    searched: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A command, as typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A sentence that ends in a link; without `href` the label stands alone."""

    text: str
    label: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Warnings:
    """Warnings of one code with the same advice: (about, message) each. `severity` is error, warning or note."""

    severity: str
    code: str
    advice: str
    items: tuple[tuple[str, str], ...]


Block = Paragraph | Items | Picture | Listing | Code | Link | Warnings


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; `name` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    headline: str
    subtitle: str
    sections: tuple[Section, ...]
