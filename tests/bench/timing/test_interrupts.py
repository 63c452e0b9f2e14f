"""Asked once to end, a process ends in order; asked twice, at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.timing import interrupts

ROOT = Path(__file__).parents[3]
LISTENING = """
import os, signal, sys, time
from bench.timing import interrupts
with interrupts.listening(), interrupts.held():
    os.kill(os.getpid(), signal.SIGTERM)
    print("still here", flush=True)
    if sys.argv[1] == "twice":
        os.kill(os.getpid(), signal.SIGINT)
        print("never told", flush=True)
    print("done", flush=True)
"""


@pytest.mark.parametrize(
    ("times", "code", "told"),
    [("once", -signal.SIGINT, "still here\ndone\n"), ("twice", 130, "still here\n")],
)
def test_asked_twice_a_process_ends_at_once(times, code, told):
    done = subprocess.run(
        [sys.executable, "-c", LISTENING, times],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, told)


def test_what_listened_before_listens_again_and_nohup_holds():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        own = signal.getsignal(signal.SIGTERM)
        with interrupts.listening():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("code", "told"), [(3, "exit code 3"), (-9, "SIGKILL"), (-40, "signal 40")]
)
def test_how_a_process_ended_is_told_for_a_signal_without_a_name_too(code, told):
    assert interrupts.ended(code) == told
