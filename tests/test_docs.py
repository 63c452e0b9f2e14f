"""What the documents say of the code is so: links, commands, options, fields, constants, examples."""

from __future__ import annotations

import ast
import importlib.util
import json
import math
import re
import shlex
import tomllib
import types
import typing
from dataclasses import fields
from pathlib import Path

import pytest

from bench import __main__ as bench_command
from bench.profile import records, suite
from kernels import case, implementations
from reports import __main__ as reports_command
from reports import locate
from reports.analysis import headline

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

PLACEHOLDER = re.compile(r"\b(GALLERY_NAME|HEADLINE|[A-Z]+_TABLE)\b")
"""Stands where a measured figure or a run's name is still to come."""

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NOT_CONSTANTS = {"METHOD", "MADV_HUGEPAGE", "OMP_PROC_BIND", "OMP_PLACES"}
HOLDERS_OF_THRESHOLDS = (
    "bench/verify/c_probe.py",
    "bench/verify/byte_check.py",
    "bench/session/warnings.py",
    "bench/measure/checker.py",
    "bench/device/levels.py",
    "bench/timing/rounds.py",
    "bench/measure/point.py",
    "bench/device/cpu_sweep.py",
    "bench/verify/command.py",
    "reports/analysis/claims.py",
    "reports/analysis/confirm.py",
    "reports/analysis/elasticity.py",
    "reports/compare/gate.py",
    "reports/compare/ratios.py",
    "reports/analysis/roofs.py",
    "reports/analysis/series.py",
    "reports/analysis/verdict.py",
)


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
    """Every command of every document that has no placeholder."""
    found = {}
    for path in PROSE:
        for command, whole in commands(path.read_text(encoding="utf-8")):
            if not PLACEHOLDER.search(command):
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
        if "://" in target or PLACEHOLDER.search(target):
            continue
        file, _, part = target.strip("<>").partition("#")
        there = path.parent / file if file else path
        assert there.exists(), target
        if part and there.suffix == ".md":
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in map(anchor, titles), target


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


def test_every_implementation_is_in_the_readme():
    named = {row[0].strip("`") for row in table_rows(section(README, "Implementations"))}
    assert named == {"name", *implementations.names()}


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
        optional = isinstance(hint, types.UnionType) and type(None) in typing.get_args(hint)
        assert (null != "no") == optional, name
        assert meaning


def test_the_history_ends_with_the_schema_of_today():
    dated = [row for row in table_rows(section(FORMAT, "History")) if row[0][:2] == "20"]
    assert dated[-1][1].strip("`") == records.SCHEMA


def test_the_format_names_every_journal_entry():
    keys = re.findall(
        r"`(\w+)`", " ".join(row[0] for row in table_rows(section(FORMAT, "Journal")))
    )
    assert set(keys) == {"profile", "resumed", "complete", "levels", *records._KINDS}


def test_the_format_names_every_key_of_a_suite_with_its_default():
    rows = {row[0].strip("`"): row for row in table_rows(section(FORMAT, "Suite files"))}
    settings = {f"settings.{key}": value for key, value in suite.SETTINGS.items()}
    axes = {f"group.{key}" for key in suite.AXES}
    assert rows.keys() == {"key", "why", "group", "group.why", *settings, *axes}
    for key, value in settings.items():
        assert float(rows[key][2]) == value
    for key in axes:
        assert (rows[key][2] == "required") == (key.removeprefix("group.") in suite.REQUIRED)


def test_the_example_of_the_format_is_a_profile():
    (block,) = re.findall(r"^```json\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL)
    profile = records.from_dict(json.loads(block), "FORMAT.md")
    locate.sound(profile, "FORMAT.md")
    assert profile.points
    assert profile.roofs


def constants(path):
    """Module-level constants of a file by name, those whose value can be told without importing it."""
    found = {"log": math.log}
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and getattr(node, "value", None) is not None:
                try:
                    found[target.id] = value_of(ast.unparse(node.value), found)
                except (NameError, TypeError, AttributeError):
                    continue
    return found


def value_of(expression, names):
    return eval(expression, {"__builtins__": {}}, names)


QUOTED = [
    (row[0].strip("`"), row[1].strip("`"), row[2])
    for row in table_rows(METHODOLOGY)
    if len(row) == 3 and (ROOT / row[2]).is_file()
]


@pytest.mark.parametrize(("name", "value", "file"), QUOTED)
def test_a_constant_in_the_methodology_is_the_codes(name, value, file):
    names = constants(file)
    assert value_of(value, {"log": math.log}) == value_of(name, names)


@pytest.mark.parametrize("file", HOLDERS_OF_THRESHOLDS)
def test_the_methodology_quotes_every_number_that_decides(file):
    quoted = {name for name, _, where in QUOTED if where == file}
    numbers = {k for k, v in constants(file).items() if isinstance(v, int | float)}
    assert numbers
    assert numbers <= quoted


def test_a_constant_named_in_the_methodologys_prose_stands_in_a_table():
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", METHODOLOGY))
    assert named - NOT_CONSTANTS <= {name for name, _, _ in QUOTED}


def test_the_methodology_names_every_warning():
    text = " ".join(METHODOLOGY.casefold().split())
    codes = {
        code
        for file in (
            "bench/session/warnings.py",
            "bench/session/doctor.py",
            "reports/analysis/warnings.py",
        )
        for code in re.findall(r'Warning\(\s*"([^"]+)"', (ROOT / file).read_text(encoding="utf-8"))
    }
    assert len(codes) > 10
    for code in codes:
        assert code.casefold() in text, code


def test_the_headline_in_the_readme_is_its_runs():
    (name,) = set(re.findall(r"python -m reports headline (\S+?)`", README))
    if PLACEHOLDER.search(name):
        pytest.skip("no run stands in the README yet")
    (block,) = re.findall(r"<!-- headline -->\n(.*?)<!-- headline -->", README, re.DOTALL)
    profile, _ = locate.load(name)
    shown = re.sub(r"^> ?", "", block, flags=re.MULTILINE).replace("**", "")
    assert shown.split() == headline.headline(profile).split()


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
                assert example.unavailable(one) is None
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


def test_the_names_of_the_contract_are_those_of_the_protocol():
    """Read off the source: the class body of Implementation, and bind, which prepare returns."""
    tree = ast.parse((ROOT / "kernels/implementations/__init__.py").read_text(encoding="utf-8"))
    (protocol,) = (
        n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Implementation"
    )
    expected = {n.target.id for n in protocol.body if isinstance(n, ast.AnnAssign)}
    expected |= {n.name for n in protocol.body if isinstance(n, ast.FunctionDef)}
    told = section(KERNELS_README, "An implementation is a file")
    named = {re.split(r"[`(]", row[0].strip("`"))[0] for row in table_rows(told)}
    assert named == {"name", "bind", *expected}


@pytest.mark.parametrize("path", [path.relative_to(ROOT).as_posix() for path in PROSE])
def test_no_document_names_a_path_of_a_machine(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|home|root|Users|tmp)/", text)


def test_no_placeholder_is_left():
    """Every figure promised is there."""
    assert not [
        name for name in NAMES if PLACEHOLDER.search((ROOT / name).read_text(encoding="utf-8"))
    ]
