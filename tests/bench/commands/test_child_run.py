"""A run in a process of its own: what it says is kept, how it ends is told, and a signal reaches it once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.commands import _child_run as child_run
from bench.commands._child_run import Child

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(child_run, "LOOK_SECONDS", 0.05)


def run(tmp_path, program, variables=None, child=None):
    """How a Python program ends as a run, and what was told of it meanwhile."""
    told = []
    log = tmp_path / "log.txt"
    with child_run.signals_go_to(child or Child()) as one:
        command = [sys.executable, "-u", "-c", program]
        ended = child_run.measured(command, tmp_path, variables or {}, log, one, told.append)
    return ended, told, log.read_text()


def test_what_a_run_says_is_kept_and_its_progress_told(tmp_path):
    progress = [
        "3 of 7 points, about 9 s of measuring left",
        "36 points, about 87 s of measuring",
        "40 of 153 visits, about 61 s of measuring left",
    ]
    told = []
    for line in progress:
        said = f"rnn-roofline: suite smoke, 2 threads, into x\n{line}\nnoise\n"
        ended, one, log = run(tmp_path, f"print({said!r})")
        assert ended.code == 0
        told += one
    assert told == progress
    assert said in log
    assert log.startswith("$ ")
    run(tmp_path, "print('again')")
    assert said in (tmp_path / "log.txt").read_text()


def test_why_it_failed_is_the_last_that_the_run_says_of_itself(tmp_path):
    program = (
        "import sys; print('rnn-roofline: suite s, 2 threads, into x'); print('rnn-roofline: CPU only: none');"
        "print('rnn-roofline: suite no is unknown', file=sys.stderr); print('bye'); sys.exit(2)"
    )
    ended, _, _ = run(tmp_path, program)
    assert ended == (2, "suite no is unknown")
    ended, _, _ = run(
        tmp_path,
        "print('rnn-roofline: suite s, 2 threads, into x'); raise SystemExit('gone wrong')",
    )
    assert ended == (1, "gone wrong")
    ended, _, _ = run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert ended == (-9, "it said nothing")


def test_it_runs_in_its_checkout_with_its_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("CHANGED", "before")
    program = "import os; print(os.getcwd(), os.environ['KEPT'], os.environ['CHANGED'])"
    _, _, log = run(tmp_path, program, {"CHANGED": "after"})
    assert f"{tmp_path} kept after" in log


def test_a_run_that_nobody_listens_to_any_more_is_ended(tmp_path):
    def gone(_line):
        raise BrokenPipeError

    program = "import os, time\nprint('1 of 2 points, by', os.getpid())\ntime.sleep(60)\n"
    command = [sys.executable, "-u", "-c", program]
    with child_run.signals_go_to(Child()) as child, pytest.raises(BrokenPipeError):
        child_run.measured(command, tmp_path, {}, tmp_path / "log.txt", child, gone)
    process = int((tmp_path / "log.txt").read_text().split("points, by ")[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


WAITS = "import signal, sys, time\nprint('1 of 2 points, ready')\n"
IN_ORDER = WAITS + "try: time.sleep(60)\nexcept KeyboardInterrupt: sys.exit(130)\n"


def test_a_signal_reaches_the_run_once_and_is_known_to_have_been_asked(tmp_path):
    child = Child()
    program = (
        WAITS + "heard = []\nsignal.signal(signal.SIGINT, lambda *_: heard.append(1))\n"
        "print('2 of 2 points, armed')\n"
        "end = time.monotonic() + 60\n"
        "while not heard and time.monotonic() < end: time.sleep(0.01)\n"
        "time.sleep(0.2)\nprint('heard', len(heard))\nsys.exit(130)\n"
    )

    def interrupt():
        log, end = tmp_path / "log.txt", time.monotonic() + 60
        while time.monotonic() < end and not (
            log.exists() and "\n2 of 2 points, armed\n" in log.read_text()
        ):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=interrupt).start()
    ended, _, log = run(tmp_path, program, child=child)
    assert ended.code == 130
    assert child.asked
    assert "heard 1\n" in log
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_at_a_terminal_ends_the_run_through_this_process_alone(tmp_path):
    """A signal to the whole group of processes, as a terminal sends it, does not reach the run a second time."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from bench.commands import _child_run as child_run\n"
        "child_run.LOOK_SECONDS = 0.05\n"
        "with child_run.signals_go_to(child_run.Child()) as child:\n"
        f"    run = [sys.executable, '-u', '-c', {IN_ORDER!r}]\n"
        "    told = lambda line: print(line, flush=True)\n"
        "    ended = child_run.measured(run, Path('.'), {}, Path('log.txt'), child, told)\n"
        "print(ended.code, child.asked, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(ROOT)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as outer:
        assert outer.stdout.readline().startswith("1 of 2")
        os.killpg(outer.pid, signal.SIGINT)
        said, _ = outer.communicate(timeout=60)
    assert said.strip() == "130 True"
