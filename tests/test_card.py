"""The minutes on a card, with stand-ins: limits, what is kept when something is cut, clear ends without a GPU."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from time import monotonic

import pytest

from bench.machine import nvml
from tests import card as package
from tests.card import __main__ as card
from tests.card import answers, clock, counted, plan, probe, steps
from tests.card.steps import Step
from tests.fake_nvml import UUID

HERE = Path(package.__file__).parent
WAITS = "import time; print('began', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS


def program(text):
    return (sys.executable, "-c", text)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs steps within so many seconds, with a second's grace, and returns how each ended."""
    monkeypatch.setattr(steps, "GRACE_SECONDS", 1.0)
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()

    def run(*planned, seconds=30):
        return steps.run(planned, monotonic() + seconds, tmp_path / "out", tmp_path / "scratch")

    return run


def log(tmp_path):
    return (tmp_path / "out" / "log.txt").read_text()


def test_each_step_has_its_end_and_its_last_lines_in_the_log(run, tmp_path):
    done = run(
        Step("first", 20, program("print('said')")),
        Step("second", 20, program("raise SystemExit(3)")),
    )
    assert [(one.name, one.code) for one in done] == [("first", 0), ("second", 3)]
    assert re.search(r"== first: exit code 0, .* s\nsaid\n== second: exit code 3", log(tmp_path))


@pytest.mark.parametrize("text", [WAITS, STUBBORN], ids=["waits", "stubborn"])
def test_what_takes_too_long_is_ended_and_what_it_said_is_kept(run, tmp_path, text):
    (done,) = run(Step("hangs", 1, program(text), least=0))
    assert done.code != 0
    assert "cut" in done.told
    assert "began" in log(tmp_path)


def test_what_a_step_leaves_running_is_ended_with_it(run, tmp_path):
    left = tmp_path / "left"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(left)!r}).touch()"
    run(
        Step(
            "parent",
            20,
            program(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"),
        )
    )
    run(Step("later", 20, program("import time; time.sleep(3)")))
    assert not left.exists()


def test_nothing_is_begun_that_cannot_end_in_time(run, tmp_path):
    done = run(
        Step("long", 60, program("print(1)"), least=10),
        Step("short", 5, program("print(2)"), least=1),
        seconds=6,
    )
    assert [(one.name, one.code, one.told) for one in done] == [
        ("long", steps.NOT_BEGUN, "no time"),
        ("short", 0, "exit code 0"),
    ]
    assert "== long: no time" in log(tmp_path)


def test_steps_beside_one_another_run_at_once(run, tmp_path):
    meet = tmp_path / "there"
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(meet)!r}).exists(): time.sleep(0.05)"
    )
    comes = f"import pathlib; pathlib.Path({str(meet)!r}).touch()"
    done = run(Step("waits", 20, program(waits)), Step("comes", 20, program(comes), beside=True))
    assert [one.code for one in done] == [0, 0]


def test_what_is_not_installed_says_so(run, tmp_path):
    (done,) = run(Step("absent", 20, ("no-such-tool",)))
    assert done.told == "no-such-tool: No such file or directory"
    assert "no-such-tool" in log(tmp_path)


def test_the_runs_folder_is_kept_after_each_step_also_of_one_that_is_cut(run, tmp_path):
    folder = tmp_path / "scratch" / "run"
    text = f"import pathlib; f = pathlib.Path({str(folder)!r}); f.mkdir(); (f / 'journal.jsonl').write_text('x'); "
    text += WAITS
    run(Step("suite", 2, program(text), least=0))
    with tarfile.open(tmp_path / "out" / "run.tgz") as archive:
        assert archive.extractfile("run/journal.jsonl").read() == b"x"
    assert not list((tmp_path / "out").glob("*.part"))


def test_the_archive_leaves_pictures_out_where_they_make_it_too_large(run, tmp_path, monkeypatch):
    folder = tmp_path / "scratch" / "run"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "roofline.png").write_bytes(os.urandom(5000))
    (folder / "profile.json").write_text("{}")
    monkeypatch.setattr(steps, "MOST_ARCHIVE_BYTES", 4000)
    run(Step("suite", 20, program("print()")))
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "out" / "run.tgz").read_bytes())) as archive:
        assert archive.getnames() == ["run/profile.json"]


def test_the_plan_begins_with_what_is_worth_most_and_leaves_at_most_eight_files(tmp_path):
    planned = plan.steps(tmp_path, tmp_path)
    names = [one.name for one in planned]
    assert names[:2] == ["answers", "right"]
    assert (
        names.index("suite") < names.index("probe") < names.index("bytes") < names.index("memcheck")
    )
    timed = {"suite", "probe", "bytes", "clock", "timing"}
    assert not any(one.beside for one in planned if one.name in timed)
    assert len({"log.txt", "run.tgz", "answers.json", "probe.jsonl", "ncu.csv"}) <= 8
    assert all(one.least < one.seconds for one in planned)


@pytest.mark.parametrize("given", [(), ("60",), ("soon", "folder"), ("60", "")])
def test_bad_usage_is_one_line(given):
    done = subprocess.run(
        [sys.executable, "-m", "tests.card", *given],
        cwd=steps.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A plan of two steps: the answers that are given, and another, which leaves the file that is returned."""

    def planned(answers):
        written, later = tmp_path / "answers.json", tmp_path / "later"
        text = f"import pathlib; pathlib.Path({str(written)!r}).write_text({json.dumps(answers)!r})"
        after = f"import pathlib; pathlib.Path({str(later)!r}).touch()"
        both = (Step("answers", 20, program(text)), Step("later", 20, program(after)))
        monkeypatch.setattr(plan, "steps", lambda *_: both)
        return later

    return planned


def test_without_a_gpu_nothing_but_the_answers_is_asked_for(tmp_path, planned, capsys):
    later = planned({"torch": {"error": "this PyTorch is built without CUDA"}})
    assert card.main(["60", str(tmp_path)]) == 2
    assert not later.exists()
    assert capsys.readouterr().err == "no card to check: this PyTorch is built without CUDA\n"


def test_with_a_gpu_all_of_the_plan_is_run(tmp_path, planned):
    later = planned({})
    assert card.main(["60", str(tmp_path)]) == 0
    assert later.exists()


def test_without_a_gpu_or_its_tools_each_says_why_and_fails(tmp_path, monkeypatch, capsys):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert clock.main() == 1
    assert counted.main(tmp_path) == 1
    assert probe.run("probe", tmp_path) == 1
    assert probe.build(tmp_path / "probe") == 1
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    assert all(line.startswith("no ") for line in said)


def test_every_answer_that_the_card_is_asked_for_is_kept():
    asked = set(
        re.findall(
            r'"(nvml\w+)"|n\.(NVML_\w+)|pynvml\.(nvmlDevice\w+)', Path(nvml.__file__).read_text()
        )
    )
    source = Path(nvml.__file__).read_text()
    names = {name for found in asked for name in found if name}
    names |= {f"nvmlDeviceGet{name}Mode" for name in ("Mig", "Ecc")}
    names |= {f"nvmlDeviceGetCurrentClocks{name}" for name in ("EventReasons", "ThrottleReasons")}
    kept = set(answers.ASKED) | {word for words in answers.ASKED.values() for word in words}
    handles = {"nvmlDeviceGetHandleByUUID", "nvmlDeviceGetHandleByIndex"}
    assert "nvmlDeviceGetMemoryBusWidth" in source
    assert names - kept - handles == set()


def test_answers_name_no_single_card(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        f"#!/bin/sh\necho '    Serial Number      : 1652824037277'\necho '    GPU UUID   : {UUID}'\n"
        "echo '    Product Name  : NVIDIA H100 80GB HBM3'\necho '    Bus Id : 00000000:00:06.0'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    answers.main(tmp_path)
    text = (tmp_path / "answers.json").read_text()
    assert "NVIDIA H100 80GB HBM3" in json.loads(text)["nvidia-smi"]
    assert not any(own in text for own in ("1652824037277", UUID, "00:06.0"))


THEIRS = """\
{"kind": "read", "megabytes": 24, "variant": "a", "resident": 8, "median": 6e12, "best": 7e12, "right": true}
{"kind": "read", "megabytes": 24, "variant": "b", "resident": 8, "median": 7e12, "best": 7e12, "right": false}
{"kind": "read", "megabytes": 16, "variant": "ld x4, 256 threads", "median": 32e12, "right": true}
{"kind": "read", "megabytes": 16, "variant": "ld.nc x8, 256 threads", "median": 8e12, "right": true}
{"kind": "read", "megabytes": 4096, "variant": "c", "resident": 8, "median": 3e12, "best": 3e12, "right": true}
{"kind": "copy", "megabytes": 4096, "variant": "d", "resident": 8, "median": 3e12, "best": 3e12, "right": true}
{"kind": "read", "megabytes": 409"""


def test_of_the_independent_probes_the_fastest_right_answer_counts():
    assert probe.best_of_theirs(THEIRS) == {
        ("read", 24): (6e12, "a"),
        ("read", 16): (8e12, "ld.nc x8, 256 threads"),  # the other read the first-level caches
        ("read", 4096): (3e12, "c"),
        ("copy", 4096): (3e12, "d"),
    }


@pytest.mark.parametrize(
    ("kind", "rate", "short"),
    [("read", 2.95e12, False), ("read", 2.93e12, True), ("copy", 1e12, False)],
)
def test_our_reads_are_held_to_theirs(kind, rate, short):
    lines, found = probe.told({(kind, 4096): (rate, "ours")}, probe.best_of_theirs(THEIRS))
    assert (len(lines), found) == (1, short)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_the_independent_probes_compile(tmp_path):
    """Without a GPU they say so in one line."""
    binary = tmp_path / "probe"
    assert probe.build(binary) == 0
    done = subprocess.run([binary, "1"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode in (0, 1)
    assert done.stdout or done.stderr.startswith("probe.cu:")


def test_a_card_is_asked_for_so_many_seconds_by_make():
    done = subprocess.run(
        ["make", "-n", "card", "SECONDS=41", "OUT=elsewhere"],
        cwd=steps.ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "-m tests.card 41 elsewhere" in done.stdout
