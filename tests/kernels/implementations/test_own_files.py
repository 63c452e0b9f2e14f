"""A file from outside the tree is an implementation by the same contract, under its own name, or one clear reason."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import MISSING, fields

import pytest
import torch

from kernels import implementations
from kernels.case import Case, Unavailable
from kernels.contract import Implementation
from kernels.implementations import torch_cell

GOOD = inspect.getsource(torch_cell).replace('label = "PyTorch cell"', 'label = "my cell"')


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Every test starts with no file adopted, and leaves none."""
    monkeypatch.setattr(implementations, "_ADOPTED", {})


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def refused(given):
    with pytest.raises(Unavailable) as caught:
        implementations.named(given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_is_known_by_the_files_name_from_then_on(write):
    name = implementations.named(write(GOOD))
    assert name == "mine"
    assert implementations.load("mine").label == "my cell"
    assert "mine" not in implementations.names()


def test_it_computes(write):
    mine = implementations.load(implementations.named(write(GOOD)))
    case = Case("rnn", 2, 3, 1)
    tensors = [torch.ones(shape) for shape in mine.layout(case)]
    inputs = [(torch.zeros(1, 3), torch.zeros(1, 2), torch.empty(0, 0), torch.empty(0, 0))]
    from kernels.reference.cells import Inputs

    (answer,) = mine.prepare(case, [tensors], [Inputs(*inputs[0])])(0, 0)()
    assert torch.allclose(answer, torch.tanh(torch.full((1, 2), 2.0)))


def test_it_may_say_in_a_function_of_its_own_what_it_cannot_compute(write):
    own = "def unavailable(case): return 'never'"
    mine = implementations.load(implementations.named(write(f"{GOOD}\n{own}\n")))
    assert mine.unavailable(Case("rnn", 2, 3, 1)) == "never"


def test_its_version_tells_its_digest(write):
    path = write(GOOD)
    digest = hashlib.sha256(GOOD.encode()).hexdigest()[:12]
    version = implementations.load(implementations.named(path)).version()
    assert version.startswith(torch_cell.version())
    assert version.endswith(digest)


def test_the_same_file_may_be_named_twice_and_is_run_once(write, tmp_path):
    file = str(tmp_path / "runs")
    counting = f"with open({file!r}, 'a') as runs:\n    runs.write('x')\n"
    path = write(GOOD + counting)
    assert implementations.named(path) == implementations.named(path) == "mine"
    assert (tmp_path / "runs").read_text() == "x"


def test_nothing_is_left_beside_the_file(write, tmp_path):
    implementations.named(write(GOOD))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    "lacking", [one.name for one in fields(Implementation) if one.default is MISSING]
)
def test_what_the_contract_asks_for_and_is_missing_is_named(write, lacking):
    declared = "SUPPORTS" if lacking == "unavailable" else lacking
    line = refused(write(f"{GOOD}\ndel {declared}\n"))
    assert f"lacks {lacking}: see kernels/README.md" in line
    assert "mine.py" in line


def test_everything_missing_is_named_at_once(write):
    assert "lacks label, reads, version, unavailable, layout, canonical, prepare" in refused(
        write("")
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("prepare = 3", "prepare must be a function"),
        ("packs = True", "packs must be a function"),
        ("label = ''", "label '' is not a few words"),
        ("label = 7", "label 7 is not a few words"),
        ("reads = {'W': 'per_step'}", "must give W and U one of per_step, own_cache, per_call"),
        (
            "reads = {'W': 'per_step', 'U': []}",
            "must give W and U one of per_step, own_cache, per_call",
        ),
        ("reads = 'per_step'", "must give W and U one of per_step, own_cache, per_call"),
        ("raise SystemExit(3)", "cannot be loaded: SystemExit: 3"),
        ("raise KeyError('x')", "cannot be loaded: KeyError: 'x'"),
        ("raise RuntimeError", "cannot be loaded: RuntimeError"),
        ("import nobody_has_this", "cannot be loaded: No module named 'nobody_has_this'"),
        ("def broken(:", "cannot be loaded: invalid syntax (mine.py, line"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_that_names_it(write, more, says):
    line = refused(write(f"{GOOD}\n{more}\n"))
    assert says in line
    assert "mine.py" in line


def test_a_file_that_is_not_there_is_told_so(tmp_path):
    assert "cannot be read: No such file or directory" in refused(str(tmp_path / "nobody.py"))


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "folder.py").mkdir()
    assert "cannot be read: Is a directory" in refused(str(tmp_path / "folder.py"))


def test_bytes_that_are_no_text_are_told_so(tmp_path):
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    assert "bytes.py: cannot be loaded: " in refused(str(tmp_path / "bytes.py"))


@pytest.mark.parametrize("name", ["my-cell.py", "2nd.py", "a b.py", ".py", "größe.py"])
def test_a_name_that_would_not_read_in_a_points_key_is_refused(write, name):
    assert "rename it" in refused(write(GOOD, name))


def test_a_name_of_this_folder_is_taken(write):
    assert "another implementation is called torch_cell" in refused(write(GOOD, "torch_cell.py"))


def test_two_files_of_one_name_are_refused(write, tmp_path):
    implementations.named(write(GOOD))
    (tmp_path / "other").mkdir()
    assert "another implementation is called mine" in refused(write(GOOD, "other/mine.py"))


def test_a_file_that_failed_is_not_half_known(write):
    path = write("raise RuntimeError")
    refused(path)
    write(GOOD)
    assert implementations.named(path) == "mine"


def test_every_implementation_of_the_folder_keeps_the_contract_or_says_why_not():
    for name in implementations.names():
        try:
            implementations.load(name)
        except Unavailable as error:
            reason = str(error)
        else:
            continue
        assert "lacks" not in reason
        assert "must" not in reason
