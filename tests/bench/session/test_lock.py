"""One measurement at a time: who holds the machine is told, and a dead process holds nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.session import lock

ROOT = Path(__file__).parents[3]
HOLDING = """
import sys, time
from pathlib import Path
from bench.session import lock
lock.PATH = Path(sys.argv[1])
kept = lock.hold(Path("its-folder"))
print("held", flush=True)
time.sleep(100)
"""


def test_two_runs_at_once_are_refused_with_who_measures_and_a_dead_ones_lock_is_nobodys(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lock, "PATH", tmp_path / "lock")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(lock.PATH)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(lock.Busy) as told:
            lock.hold(tmp_path)
        assert f"process {other.pid} since" in str(told.value)
        assert "its-folder" in str(told.value)
        assert "\n" not in str(told.value)
        assert str(other.pid) in lock.held_by()
        other.kill()
    assert lock.held_by() is None
    lock.hold(tmp_path).release()


def test_a_run_that_may_wait_says_once_whom_for_and_takes_the_machine_when_it_is_free(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lock, "PATH", tmp_path / "lock")
    told = []
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(lock.PATH)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(lock.Busy) as refused:
            lock.hold(tmp_path, 0.3, told.append)
        assert "wait longer" in str(refused.value)
        assert told == [f"waiting up to 0.3 s for {lock.holder()}"]
        ended = threading.Timer(0.5, other.kill)
        ended.start()
        lock.hold(tmp_path, 60, told.append).release()
        ended.join()
    assert len(told) == 2
    assert str(other.pid) in told[1]
    lock.hold(tmp_path, 60, told.append).release()
    assert len(told) == 2
