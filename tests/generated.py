"""The generated parts of the documents, each between two markers: `python -m tests.generated` writes them anew.

constants  of METHODOLOGY: every constant that it or FAULTS names, with the value that the code has, by room
headline   of README: the sentence of the run it shows
promises   of PROMISES: every promise of the method beside its simulated figure
excerpt, gpu_steps, gpu_sequences
           of README: the command that stands in each, and what that prints
rooms      of CONTRIBUTING: every room, by the first sentence of its docstring
guests     of PYTEST: what was tried beside our own options, and how it ends
fleets, of_fleets
           of FLEET: its rule beside those of others on simulated fleets, and what else it promises

tests/test_docs.py holds the documents to these.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

from tests import guests
from tests.guests.cases import CASES
from tests.statistics import fleets, promises

ROOT = Path(__file__).parents[1]
METHODOLOGY = ROOT / "bench" / "METHODOLOGY.md"
FAULTS = ROOT / "bench" / "FAULTS.md"
PROMISES = ROOT / "bench" / "PROMISES.md"
PYTEST = ROOT / "bench" / "PYTEST.md"
FLEET = ROOT / "bench" / "FLEET.md"
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
NAME = re.compile(r"`((?:\w+\.)?[A-Z][A-Z_]+)`")
"""A constant as prose names it; with its module's name where two modules define one."""

GENERATED = re.compile(r"<!-- (\w+) -->.*?<!-- \1 -->", re.DOTALL)
EXCERPTS = ("excerpt", "gpu_steps", "gpu_sequences")
ROOMS = ("kernels", "bench", "reports/analysis", "reports/compare")
"""Where figures are decided."""

BARE = str.maketrans("", "", "()\"'")
"""Takes the brackets and quotation marks off a key."""


def documents() -> dict[Path, str]:
    """Every document that has generated parts, as it should be."""
    methodology = METHODOLOGY.read_text(encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    readme = filled(readme, "headline", headline(readme))
    for marker in EXCERPTS:
        readme = filled(readme, marker, excerpt(readme, marker))
    return {
        METHODOLOGY: filled(
            methodology,
            "constants",
            constants_table(methodology + FAULTS.read_text(encoding="utf-8")),
        ),
        PROMISES: filled(PROMISES.read_text(encoding="utf-8"), "promises", promises.table()),
        PYTEST: filled(PYTEST.read_text(encoding="utf-8"), "guests", guests_lines()),
        FLEET: fleet_document(),
        README: readme,
        CONTRIBUTING: filled(CONTRIBUTING.read_text(encoding="utf-8"), "rooms", rooms_table()),
    }


def fleet_document() -> str:
    """What FLEET says of simulated fleets."""
    known = promises.published()
    text = filled(FLEET.read_text(encoding="utf-8"), "fleets", list(fleets.matrix(known)))
    return filled(text, "of_fleets", list(fleets.others(known)))


def filled(text: str, marker: str, lines: list[str]) -> str:
    """The text with these lines between its two markers."""
    mark = f"<!-- {marker} -->\n"
    before, _, after = text.split(mark)
    return mark.join((before, "\n".join([*lines, ""]), after))


def headline(readme: str) -> list[str]:
    """What the command that the README names prints, wrapped as prose is."""
    (name,) = set(re.findall(r"python -m reports headline (\S+?)`", readme))
    printed = subprocess.run(
        [sys.executable, "-m", "reports", "headline", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return textwrap.wrap(printed, 118, initial_indent="> ", subsequent_indent="> ")


def excerpt(readme: str, marker: str) -> list[str]:
    """The command that stands between two of these markers, and what it prints; a code block."""
    (block,) = re.findall(rf"<!-- {marker} -->\n(.*?)<!-- {marker} -->", readme, re.DOTALL)
    command = [line for line in block.splitlines() if line.startswith("    $ ")]
    typed = "\n".join(line.removeprefix("    $ ") for line in command)
    printed = subprocess.run(
        ["sh", "-c", typed], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [*command, *(f"    {line}".rstrip() for line in printed.splitlines())]


def guests_lines() -> list[str]:
    """Of each kind of case those that are measured as ever, then a row for each other one."""
    lines: list[str] = []
    for kind, cases in CASES.items():
        plain = [one for one in cases if one.expect == guests.MEASURED and not one.why]
        told = ", ".join(f"`{one.name}`" for one in plain)
        lines += [f"### {kind}", ""]
        if plain:
            lines += [
                *textwrap.wrap(
                    f"Measured as ever: {told}.",
                    120,
                    break_long_words=False,
                    break_on_hyphens=False,
                ),
                "",
            ]
        lines += ["| what | ends | because |", "| --- | --- | --- |"]
        rows = [one for one in cases if one not in plain]
        lines += [f"| `{one.name}` | {one.expect} | {one.why} |".replace("``", "") for one in rows]
        lines += [""]
    return lines[:-1]


def rooms_table() -> list[str]:
    """A row for each folder of modules, in the order of the alphabet."""
    found = sorted(
        path
        for top in ("kernels", "bench", "reports")
        for path in (ROOT / top).glob("**/__init__.py")
    )
    rows = [
        f"| `{path.parent.relative_to(ROOT).as_posix()}/` | {_first_sentence(path)} |"
        for path in found
    ]
    return ["| room | what belongs there |", "| --- | --- |", *rows]


def _first_sentence(path: Path) -> str:
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<=\.)\s", " ".join(told.split()), maxsplit=1)[0]


def constants_table(prose: str) -> list[str]:
    """A row for each room: its constants that the prose names, in the order in which it does."""
    rooms: dict[str, list[str]] = {}
    for name in dict.fromkeys(NAME.findall(GENERATED.sub("", prose))):
        path, entries = constant(name)
        told = ", ".join(f"{key} `{value}`" for key, value in entries)
        written = (
            f"`{name}`: {told}"
            if len(entries) > 1 or entries[0][0]
            else f"`{name} = {entries[0][1]}`"
        )
        rooms.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(written)
    rows = [f"| {room} | {'; '.join(found)} |" for room, found in sorted(rooms.items())]
    return ["| room | constants |", "| --- | --- |", *rows]


def constant(name: str) -> tuple[Path, list[tuple[str, str]]]:
    """Where a constant is defined, and its value as the code writes it; of a dict each entry's, with its key.

    Raises ValueError for one that is not defined in one place.
    """
    module, _, bare = name.rpartition(".")
    found = [
        (path, defined[bare])
        for path, defined in definitions()
        if bare in defined and module in ("", path.stem)
    ]
    if len(found) != 1:
        where = ", ".join(path.relative_to(ROOT).as_posix() for path, _ in found) or "no module"
        raise ValueError(
            f"METHODOLOGY or FAULTS names {name}, defined in {where}: name one, as `module.{bare}`"
        )
    return found[0]


@cache
def definitions() -> tuple[tuple[Path, dict[str, list[tuple[str, str]]]], ...]:
    """Constants of every module that decides, by name."""
    files = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return tuple((path, _defined(path.read_text(encoding="utf-8"))) for path in files)


def _defined(source: str) -> dict[str, list[tuple[str, str]]]:
    found = {}
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if (
                isinstance(target, ast.Name)
                and target.id.isupper()
                and getattr(node, "value", None)
            ):
                found[target.id] = _entries(source, node.value)
    return found


def _entries(source: str, value: ast.expr) -> list[tuple[str, str]]:
    def text(node: ast.expr | None) -> str:
        return " ".join((ast.get_source_segment(source, node) or "").split()) if node else ""

    if not isinstance(value, ast.Dict):
        return [("", text(value))]
    pairs = zip(value.keys, value.values, strict=True)
    return [(text(key).translate(BARE), text(of)) for key, of in pairs]


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
