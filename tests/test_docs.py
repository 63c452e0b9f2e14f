"""What the documents say of the code is so: links, paths, commands, options, fields, codes, examples, figures."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import tomllib
import typing
from dataclasses import MISSING, asdict, fields
from pathlib import Path

import pytest

from bench import __main__ as bench_command
from bench.profile import reader, records, suite, warnings
from bench.profile.journal import KINDS
from kernels import case, implementations, roofline_model
from kernels.contract import Implementation
from reports import __main__ as reports_command
from tests import generated

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(
            p
            for folder in ("bench", "kernels", "reports", "tests")
            for p in (ROOT / folder).rglob("*.md")
        ),
    ]
    if not path.is_relative_to(ROOT / "reports" / "runs")
)
PROSE = [path for path in DOCUMENTS if "gallery" not in path.parts]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
METHODOLOGY = (ROOT / "bench" / "METHODOLOGY.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "bench" / "FORMAT.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
KERNELS_README = (ROOT / "kernels" / "README.md").read_text(encoding="utf-8")
BENCH_README = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
FAULTS = (ROOT / "bench" / "FAULTS.md").read_text(encoding="utf-8")
FINDINGS = (ROOT / "bench" / "FINDINGS.md").read_text(encoding="utf-8")

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`([\w./-]+\.(?:py|md|toml|c|cff)|[\w-]+(?:/[\w-]+)*/)`")
"""A path as prose names it."""
MADE = (
    "plots/",
    "reports/runs/",
    "suite.toml",
    "report.md",
    "fleet.md",
    "before1",
    "mine.py",
    "implementations/torch_transposed.py",
)
"""What a run or a reader makes, and so is not in a checkout."""


def table_rows(text):
    """The cells of every body row of every Markdown table."""
    for line in FENCE.sub("", text).splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(text, title):
    """What stands between this heading and the next of its rank."""
    (found,) = re.findall(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found


def commands(text):
    """Commands as typed: whole lines of code blocks, and code within running text. (command, whether it is whole)."""
    for line in FENCE.sub("", text).splitlines():
        if line.startswith("    "):
            yield re.split(r"\s{2,}", line.strip())[0], True
        else:
            for code in re.findall(r"`([^`]+)`", line):
                yield code, False


def documented():
    """Every command of every document."""
    found = {}
    for path in PROSE:
        for command, whole in commands(path.read_text(encoding="utf-8")):
            found[command] = whole or found.get(command, False)
    return sorted(found.items())


ALL_COMMANDS = documented()


def modules(*names):
    return [
        (command, whole)
        for command, whole in ALL_COMMANDS
        if command.split()[:2] == ["python", "-m"] and command.split()[2:3] in [[n] for n in names]
    ]


def anchor(title):
    kept = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name):
    path = ROOT / name
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, part = target.strip("<>").partition("#")
        there = path.parent / file if file else path
        assert there.exists(), target
        if part and there.suffix == ".md":
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in map(anchor, titles), target


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_that_prose_names_exists(path):
    for named in PATH.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if not named.startswith(MADE) and "://" not in named:
            places = [
                ROOT,
                path.parent,
                ROOT / "kernels/reference",
                ROOT / "kernels/implementations",
            ]
            assert any((place / named).exists() for place in places), named


@pytest.mark.parametrize(("command", "whole"), modules("bench", "reports"))
def test_every_command_of_ours_is_one_that_its_parser_takes(command, whole):
    module, *arguments = shlex.split(command, comments=True)[2:]
    parser = {"bench": bench_command, "reports": reports_command}[module]._parser()
    if whole:
        parser.parse_args(arguments)
    elif arguments:
        with pytest.raises(SystemExit) as stopped:
            parser.parse_args([arguments[0], "--help"])
        assert stopped.value.code == 0, f"{arguments[0]} is no verb"


def test_every_verb_has_an_example_in_the_readme():
    given = {tuple(words.split()) for words in re.findall(r"python -m (\w+ \w+)", README)}
    for module, command in (("bench", bench_command), ("reports", reports_command)):
        verbs = re.findall(r"^    (\w+) ", command._parser().format_help(), re.MULTILINE)
        assert len(verbs) >= 2
        assert {(module, verb) for verb in verbs} <= given


def test_every_pytest_option_is_one_that_pytest_knows(pytestconfig):
    ours = {command for command, _ in modules("bench", "reports")}
    options = {
        option
        for command, _ in ALL_COMMANDS
        if command not in ours and command.startswith(("pytest", "python -m pytest", "make", "-"))
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", command.replace("=", " "))
    }
    assert {"--benchmark-only", "--suite", "--out", "--resume", "--device", "--seed"} <= options
    for option in options:
        pytestconfig.getoption(option)  # raises ValueError for an option nobody added


def test_the_line_that_installs_the_peers_is_that_of_the_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert " ".join(project["project"]["optional-dependencies"]["peers"]) in README


def test_every_implementation_is_in_the_readme_of_kernels():
    named = {row[0].strip("`") for row in table_rows(section(KERNELS_README, "Implementations"))}
    assert named == {"name", *implementations.names()}


def test_every_suite_is_in_the_readme_of_bench():
    named = {row[0].strip("`") for row in table_rows(section(BENCH_README, "Suites"))}
    assert named == {"suite", *(path.stem for path in (ROOT / "bench/suites").glob("*.toml"))}


def test_the_readme_says_what_to_do_for_every_verdict():
    rows = list(table_rows(section(README, "What a verdict tells you to do")))
    bounds = (getattr(roofline_model, name) for name in ("BANDWIDTH", "COMPUTE", "CALL", "CODE"))
    others = ("latency", "mixed", "impossible", "unknown")
    told = {row[0].split(" (")[0] for row in rows}
    assert told == {"verdict", *bounds, *others, f"...{roofline_model.BOTH}"}
    assert all(row[2] for row in rows)


def test_every_make_target_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        word
        for command, _ in ALL_COMMANDS
        if command.startswith("make ")
        for word in shlex.split(command, comments=True)[1:]
        if "=" not in word
    }
    assert {"report", "test", "lint"} <= named
    assert named <= targets


@pytest.mark.parametrize(
    ("title", "record"),
    [
        ("Profile", records.Profile),
        ("Roof", records.Roof),
        ("Level", records.Level),
        ("Point", records.Point),
        ("Case", case.Case),
        ("Warning", records.RunWarning),
    ],
)
def test_the_format_names_every_field_in_order_and_says_when_it_is_null(title, record):
    rows = [row for row in table_rows(section(FORMAT, title)) if row[0].startswith("`")]
    own = [row for row in rows if "." not in row[0]]
    assert [row[0].strip("`") for row in own] == [field.name for field in fields(record)]
    hints = typing.get_type_hints(record)
    for name, _type, null, meaning in own:
        hint = hints[name.strip("`")]
        optional = type(None) in typing.get_args(hint)
        assert (null != "no") == optional, name
        assert meaning


def test_the_history_ends_with_the_schema_of_today():
    dated = [row for row in table_rows(section(FORMAT, "History")) if row[0][:2] == "20"]
    assert dated[-1][1].strip("`") == records.SCHEMA


def test_the_format_names_every_journal_entry():
    keys = re.findall(
        r"`(\w+)`", " ".join(row[0] for row in table_rows(section(FORMAT, "Journal")))
    )
    assert set(keys) == {"profile", "resumed", "complete", "levels", *KINDS}


def test_the_format_names_every_key_of_a_suite_with_its_default():
    rows = {row[0].strip("`"): row for row in table_rows(section(FORMAT, "Suite files"))}
    settings = {f"settings.{key}": value for key, value in asdict(suite.Settings()).items()}
    axes = {f"group.{field.name}": field.default is MISSING for field in fields(suite.Group)}
    top = {field.name for field in fields(suite.File)} - {"settings"}
    assert rows.keys() == {"key", *top, *settings, *axes}
    for key, value in settings.items():
        assert float(rows[key][2]) == value
    for key, required in axes.items():
        assert (rows[key][2] == "required") == required


def test_the_example_of_the_format_is_a_profile():
    (block,) = re.findall(r"^```json\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL)
    profile = reader.from_dict(json.loads(block), "FORMAT.md")
    assert profile.points
    assert profile.roofs


def codes():
    """The code of every warning that our code makes, as the call itself or a constant of its module says it."""
    found = set()
    for folder in ("bench", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            named = {
                node.targets[0].id: node.value.value
                for node in tree.body
                if isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and isinstance(node.value, ast.Constant)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("RunWarning"):
                    first = node.args[0] if node.args else None
                    if isinstance(first, ast.Constant):
                        found.add(first.value)
                    elif isinstance(first, ast.Name):
                        found.add(named[first.id])
    return found


def test_every_warning_is_told_with_its_severity_and_what_to_do():
    rows = [row for row in table_rows(section(FAULTS, "Warnings")) if row[0].startswith("`")]
    told = {row[0].strip("`"): row[1] for row in rows}
    assert told == {code: warnings.severity(code) for code in codes()}
    assert len(rows) == len(told) > 40
    assert all(all(row) for row in rows)


def test_every_finding_has_its_date():
    findings = re.findall(r"^- \*\*.*?(?=^- |^\n|^\||\Z)", FINDINGS, re.MULTILINE | re.DOTALL)
    assert len(findings) > 20
    for finding in findings:
        assert re.search(r"\b20\d\d-\d\d-\d\d, \w", finding), finding


def test_the_method_fits_on_300_lines():
    assert len(METHODOLOGY.splitlines()) <= 300


def test_the_generated_parts_are_what_is_generated():
    """`python -m tests.generated` writes them anew."""
    for path, text in generated.documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: python -m tests.generated"


def test_the_example_of_kernels_passes_the_check_for_every_cell_part_and_dtype(tmp_path):
    import torch

    from kernels.reference import cells, check
    from kernels.reference.inputs import Arena, draw, set_bytes

    (code,) = re.findall(r"^```python\n(.*?)^```$", KERNELS_README, re.MULTILINE | re.DOTALL)
    file = tmp_path / "torch_transposed.py"
    file.write_text(code, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(file.stem, file)
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)

    checked = 0
    for cell in case.CELLS:
        for part in case.PARTS:
            for dtype in ("float32", "bfloat16"):
                one = case.Case(cell, 24, 40, 3, part=part, dtype=dtype, activations=dtype)
                assert example.SUPPORTS.unavailable(one) is None
                layout = example.layout(one)
                arena = Arena(2 * set_bytes(layout, dtype), "cpu", 0)
                sets = arena.sets(layout, dtype, 2)
                inputs = draw(one, torch.Generator().manual_seed(0))
                with torch.inference_mode():
                    answer = example.prepare(one, sets, inputs)(1, 2)()
                weights = example.canonical(one, sets[1])
                assert check.error(
                    one, answer, cells.reference(one, inputs[2], weights)
                ) <= check.tolerance(one)
                checked += 1
    assert checked == 18


def test_the_names_of_the_contract_are_those_of_an_implementation():
    """What a file must have stands in the table, with bind, which prepare returns; the rest in the list below it."""
    told = section(KERNELS_README, "An implementation is a file")
    named = {re.split(r"[`(]", row[0].strip("`"))[0] for row in table_rows(told)}
    optional = {one.name for one in fields(Implementation) if one.default is not MISSING}
    assert set(re.findall(r"^- `(\w+)", told, re.MULTILINE)) == optional
    assert named == {"name", "bind", *(one.name for one in fields(Implementation))} - optional


@pytest.mark.parametrize("path", [path.relative_to(ROOT).as_posix() for path in PROSE])
def test_no_document_names_a_path_of_a_machine(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|home|root|Users|tmp)/", text)
