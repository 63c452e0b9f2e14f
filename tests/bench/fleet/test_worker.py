"""What runs on a node, here without Ray: a clean process, followed, handed over in parts, and ended with its worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.fleet import arrival, worker
from bench.fleet.worker import PART_BYTES, Worker

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def node(tmp_path, monkeypatch):
    """A node with a temporary folder of its own; Ray's process is the one that started this one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("RAY_RAYLET_PID", str(os.getppid()))
    return tmp_path


def started(program, resume="raise SystemExit(9)", name="one", suite=None):
    one = Worker()
    python = [sys.executable, "-u", "-c"]
    begin = [*python, program, "{out}", "{suite}"]
    one.start(name, str(ROOT), begin, [*python, resume, "{out}"], suite)
    return one


def ended(one):
    told = one.follow(0)
    while told["code"] is None:
        told = one.follow(5)
    return told


def test_what_it_says_and_how_it_ends_is_told():
    told = ended(started("print('1 of 2 points'); raise SystemExit(3)"))
    assert told == {"code": 3, "said": "1 of 2 points\n"}
    said = ended(started("print('x' * 100_000, 'last')"))["said"]
    assert said.endswith(" last\n")
    assert len(said) <= worker.TAIL_BYTES


def test_a_profile_is_handed_over_in_parts_that_travel_within_a_reply(node):
    content = "import os, sys; os.mkdir(sys.argv[1]); whole = os.urandom(250_000)\n"
    content += "for path in (sys.argv[1] + '/profile.json', 'SAME'): open(path, 'wb').write(whole)"
    one = started(content.replace("SAME", str(node / "same")))
    assert ended(one)["code"] == 0
    packed = one.pack()
    parts = [one.part(number) for number in range(packed["parts"])]
    assert len(parts) == 3
    assert max(map(len, parts)) <= PART_BYTES < 100_000
    assert arrival.unpacked(parts, packed["digest"]) == (node / "same").read_bytes()
    one.forget()
    assert not (node / "one").exists()


def test_no_profile_is_no_part():
    one = started("pass")
    ended(one)
    assert one.pack()["parts"] == 0


def test_a_suite_is_sent_along():
    one = started("import sys; print(open(sys.argv[2]).read())", suite=b"of mine")
    assert ended(one)["said"] == "of mine\n"


def test_what_was_begun_is_gone_on_with_and_what_was_done_is_not_done_again():
    begin = (
        "import os, sys; os.mkdir(sys.argv[1])\n"
        "open(sys.argv[1] + '/journal.jsonl', 'w').write('{}\\n'); os.abort()"
    )
    resume = "import sys; open(sys.argv[1] + '/profile.json', 'w').write('{}'); print('resumed')"
    assert ended(started(begin, resume))["code"] == -signal.SIGABRT
    assert ended(started(begin, resume)) == {"code": 0, "said": "resumed\n"}
    third = started(begin, "raise SystemExit(9)")
    assert ended(third) == {"code": 0, "said": "resumed\n"}
    assert third.pack()["parts"] == 1
    third.again()
    assert ended(started(begin, resume="print('once more')"))["said"] == "once more\n"


def test_what_never_began_begins_anew():
    begin = "import os, sys; os.mkdir(sys.argv[1]); open(sys.argv[1] + '/journal.jsonl', 'w').write('{}')"
    for _ in range(2):
        assert ended(started(begin))["code"] == 0


def test_the_environment_is_that_of_before_ray(monkeypatch):
    """Ray's own process has it; what Ray sets there and in its workers is left out."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    of_ray = {"LD_PRELOAD": "", "RAY_X": "1", "SPT_NOENV": "1", "KEPT": "x", "OMP_NUM_THREADS": "7"}
    with subprocess.Popen(command, env={**os.environ, **of_ray}) as raylet:
        until = time.monotonic() + 20
        while b"KEPT" not in Path(f"/proc/{raylet.pid}/environ").read_bytes():
            assert time.monotonic() < until
        monkeypatch.setenv("RAY_RAYLET_PID", str(raylet.pid))
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        found = json.loads(
            ended(started("import json, os; print(json.dumps(dict(os.environ)))"))["said"]
        )
        raylet.kill()
    assert (found["KEPT"], found["OMP_NUM_THREADS"]) == ("x", "7")
    assert not {"RAY_X", "SPT_NOENV", "RAY_RAYLET_PID", "CUDA_VISIBLE_DEVICES"} & found.keys()
    monkeypatch.setattr(worker, "_environment_of", lambda _: {})
    monkeypatch.setenv("LD_PRELOAD", "/x/ray/core/libjemalloc.so")
    assert not {"OMP_NUM_THREADS", "LD_PRELOAD", "RAY_RAYLET_PID"} & worker.environment(1).keys()


def test_signals_and_niceness_are_those_of_before_ray():
    """Ray blocks SIGINT in its workers, and makes them nice."""
    program = "import os, signal; print(signal.pthread_sigmask(0, ()), os.nice(0), os.getsid(0) == os.getpid())"
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        said = ended(started(program))["said"]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert said == f"set() {os.getpriority(os.PRIO_PROCESS, os.getppid())} True\n"


def test_it_is_asked_to_end_and_killed_where_it_does_not(monkeypatch):
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.3)
    one = started("import time; print('up'); time.sleep(60)")
    wait_for("up", one)
    one.stop()
    assert one.follow(0)["code"] == -signal.SIGTERM
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"
    one = started(stubborn, name="two")
    wait_for("up", one)
    one.stop()
    assert one.follow(0)["code"] == -signal.SIGKILL


def wait_for(word, one):
    until = time.monotonic() + 30
    while word not in one.follow(0.01)["said"]:
        assert time.monotonic() < until


def test_it_ends_with_its_worker(node):
    program = (
        "import sys, tempfile, time; tempfile.tempdir = sys.argv[1]\n"
        "from bench.fleet.worker import Worker\n"
        "one = Worker(); sleep = [sys.executable, '-u', '-c', 'import os, time; print(os.getpid()); time.sleep(60)']\n"
        "one.start('one', '.', sleep, sleep, None)\n"
        "while not one.follow(0.05)['said']: pass\n"
        "print(one.follow(0)['said'], flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(node)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and "Z" not in _state(child):
        assert time.monotonic() < until


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_folder_of_somebody_elses_is_not_used(node):
    (node / "elsewhere").mkdir()
    (node / "one").symlink_to(node / "elsewhere")
    with pytest.raises(OSError, match="somebody else"):
        started("pass")


def test_it_tells_whether_the_checkout_is_there(node):
    assert Worker().hello(str(ROOT))["checkout"]
    assert not Worker().hello(str(node))["checkout"]


def test_it_needs_nothing_but_python():
    """It is sent by value: a node has no module of ours when it begins."""
    import ast

    tree = ast.parse(Path(worker.__file__).read_text(encoding="utf-8"))
    named = [
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    named += [
        (n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
    ]
    assert set(named) <= sys.stdlib_module_names
