"""A GPU's compiled step without a GPU: its weights are arguments, and each case is compiled apart, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kernels import implementations
from kernels.case import Case
from kernels.implementations import torch_compile
from kernels.reference import cells, check
from kernels.reference.inputs import Arena, draw, set_bytes

CASE = Case("lstm", 40, 24, 3, part="linear", device="cuda", threads=0)
GPU = implementations.load("torch_compile")


def parts(case):
    """Two sets of weights and the inputs of a GPU's case, on the CPU."""
    here = replace(case, device="cpu", threads=1)
    layout = GPU.layout(here)
    sets = Arena(2 * set_bytes(layout, case.dtype), "cpu", 0).sets(layout, case.dtype, 2)
    return here, sets, draw(here, torch.Generator().manual_seed(0))


@pytest.fixture(params=[torch_compile.ISOLATES, False], ids=["own", "older"])
def pytorch(request, monkeypatch):
    """This PyTorch, and one that cannot keep compiled functions apart nor be told of a limit."""
    if reason := torch_compile._no_compiler():
        pytest.skip(reason)
    if not request.param:
        monkeypatch.setattr(torch_compile, "ISOLATES", False)
        monkeypatch.setattr(torch_compile, "ONCE", {"fullgraph": True, "dynamic": False})


def test_a_gpu_needs_no_pytorch_that_keeps_compiled_modules_apart_and_a_cpu_does(monkeypatch):
    monkeypatch.setattr(torch_compile, "ISOLATES", False)
    monkeypatch.setattr(torch_compile, "find_spec", lambda _name: "triton")
    monkeypatch.setattr(torch_compile, "_no_compiler", lambda: None)
    assert GPU.unavailable(CASE) is None
    assert "apart" in GPU.unavailable(replace(CASE, device="cpu", threads=1))


@pytest.mark.slow
def test_cases_are_compiled_apart_and_every_pair_is_right(pytorch):  # noqa: ARG001 - for what it patches
    for case in (CASE, replace(CASE, hidden=64), replace(CASE, batch=1)):
        here, sets, inputs = parts(case)
        with torch.inference_mode():
            bind = GPU.prepare(case, sets, inputs)
            for w, i in ((0, 0), (1, 1), (0, 2), (1, 3)):
                right = cells.reference(here, inputs[i], GPU.canonical(here, sets[w]))
                assert check.error(here, bind(w, i)(), right) <= check.tolerance(here)


@pytest.mark.slow
def test_what_would_compile_again_is_an_error(pytorch):  # noqa: ARG001 - for what it patches
    from torch._dynamo.exc import FailOnRecompileLimitHit

    _, sets, inputs = parts(CASE)
    narrow = [inputs[0], inputs[1]._replace(x=inputs[1].x[:2], h=inputs[1].h[:2])]
    with torch.inference_mode(), pytest.raises(FailOnRecompileLimitHit):
        GPU.prepare(CASE, sets, narrow)


def test_nothing_is_autotuned_on_a_gpu(monkeypatch):
    from torch._inductor import config as inductor

    seen = []
    monkeypatch.setattr(
        torch, "compile", lambda *_, **__: lambda *_: seen.append(inductor.max_autotune)
    )
    _, sets, inputs = parts(CASE)
    GPU.prepare(CASE, sets, inputs)
    assert seen == [False, False]


@pytest.fixture
def asked_anew():
    """What `_no_compiler` has found is asked for again, then and afterwards."""
    torch_compile._no_compiler.cache_clear()
    yield
    torch_compile._no_compiler.cache_clear()


@pytest.mark.parametrize(
    ("name", "is_a_word"),
    [("a b", False), ("it's", False), ("a\\b", False), ("träe", True), ("x" * 120, True)],
)
@pytest.mark.usefixtures("asked_anew")
def test_a_folder_that_the_compilers_command_would_split_is_a_reason(
    monkeypatch, tmp_path, name, is_a_word
):
    folder = str(tmp_path / name)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", folder)
    reason = GPU.unavailable(replace(CASE, device="cpu", threads=1))
    assert (folder in (reason or "")) == (not is_a_word)


@pytest.mark.usefixtures("asked_anew")
def test_a_compiler_that_is_switched_off_is_a_reason(monkeypatch):
    from torch._dynamo import config

    monkeypatch.setattr(config, "disable", True)
    assert "switched off" in GPU.unavailable(replace(CASE, device="cpu", threads=1))
