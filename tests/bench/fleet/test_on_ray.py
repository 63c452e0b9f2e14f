"""A fleet on a Ray cluster of three nodes: all that comes is kept, and each way to fail is one row with its reason."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.fleet import fleet
from bench.fleet.plan import BadFleet, Book
from bench.profile import reader
from bench.timing.interrupts import INTERRUPTED
from tests.bench.fleet.conftest import PROFILE

pytest.importorskip("ray", reason="needs Ray: the extra fleet")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]

ROOT = Path(__file__).parents[3]
NODES = ("a", "b", "c")
BEFORE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "BEFORE_RAY": "kept"}
OF_RAY = {"CUDA_VISIBLE_DEVICES", "LD_PRELOAD", "OMP_NUM_THREADS", "PYTHONPATH"}
"""Variables that Ray sets by itself, which nobody has set before here."""


class Nodes:
    """The cluster, in a process of its own."""

    beheaded = False

    def __init__(self):
        self.folder = tempfile.mkdtemp(dir="/tmp")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.fleet.nodes"],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if k not in OF_RAY}
            | BEFORE
            | {"RAY_TMPDIR": self.folder, "TMPDIR": self.folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.address = self.process.stdout.readline().strip()

    def do(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def clusters():
    """Those that were started: another one where the last has lost its head."""
    found = []
    yield found
    for one in found:
        one.end()


@pytest.fixture
def nodes(clusters):
    if not clusters or clusters[-1].beheaded:
        clusters.append(Nodes())
        clusters[-1].do("add", *NODES)
    return clusters[-1]


def alive(process):
    """Whether a process goes on; one that is a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(what):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_every_profile_arrives_whole_in_rotated_order_and_a_resumed_fleet_measures_what_is_missing(
    nodes, canned
):
    book = canned.begin(nodes.address, 2)
    assert canned.run(book) == 0
    assert set(canned.state().values()) == {"measured"}
    for node in NODES:
        for name in "12":
            arrived = canned.out / node / name / "profile.json"
            assert arrived.read_bytes() == PROFILE.read_bytes()
            assert reader.load(arrived).complete
    assert canned.calls() == [(n, "1") for n in "abc"] + [(n, "2") for n in "bca"]
    assert not any(Path(line[4]).parent.exists() for line in canned.lines())
    plan = json.loads((canned.out / "fleet.json").read_text())
    assert plan["nodes"]["b"]["labels"] == {"name": "b", "rack": "r-b"}
    assert plan["nodes"]["b"]["passes"]["2"]["seconds"] > 0
    _environment_is_that_of_before_ray(canned)

    # one is missing; and what is slow is measured again beside its control, and reported anew
    plan["nodes"]["b"]["passes"]["2"] = {"state": "dead", "reason": "gone"}
    (canned.out / "fleet.json").write_text(json.dumps(plan))
    (canned.out / "fleet.csv").write_text(
        "node,verdict,control\na,good,\nb,slow,c\nc,good,\nmine,slow,c\n"
    )
    report = (sys.executable, "-c", "open('{dir}/reported', 'a').write('x'); exit(1)")
    assert canned.run(Book.opened(canned.out), report, confirm=True) == 1
    again = [("b", "confirm-1"), ("c", "confirm-1"), ("c", "confirm-2"), ("b", "confirm-2")]
    assert canned.calls()[6:] == [("b", "2"), *again]
    assert set(canned.state().values()) == {"measured"}
    assert (canned.out / "b" / "confirm-2" / "profile.json").exists()
    assert (canned.out / "reported").read_text() == "xx"


def _environment_is_that_of_before_ray(canned):
    found = json.loads((canned.says / "environment-b-1.json").read_text())
    assert found["BEFORE_RAY"] == "kept"
    assert not (OF_RAY | {"PYTHONBREAKPOINT", "SPT_NOENV"}) & found.keys()
    assert not [name for name in found if name.startswith("RAY_")]
    assert found["PATH"] == os.environ["PATH"]


def test_a_node_that_fails_hangs_or_gives_rubbish_is_a_row_and_the_others_go_on(nodes, canned):
    canned.will("a", "1", "rubbish")
    canned.will("b", "1", "hangs")
    canned.will("c", "1", "fails")
    with pytest.raises(BadFleet) as told:
        canned.run(canned.begin(nodes.address, 1, 3.0))
    assert "nothing was measured: a, pass 1: no profile: profile.json" in str(told.value)
    state = canned.state()
    assert state["a", "1"].startswith("rubbish no profile: profile.json")
    assert "\x1b" not in state["a", "1"]
    assert state["b", "1"].startswith("hung not done within 3 s: 1 of 2 visits")
    assert state["c", "1"] == "failed exit code 1: no luck today"
    assert "no luck today" in (canned.out / "c" / "1" / "log.txt").read_text()
    assert not any(alive(line[3]) for line in canned.lines())
    assert not (canned.out / "a" / "1" / "profile.json").exists()


def test_a_node_that_grants_no_worker_is_named_busy_and_left(nodes, canned):
    nodes.do("take", "b")
    try:
        assert canned.run(canned.begin(nodes.address), busy_seconds=4) == 0
    finally:
        nodes.do("free", "b")
    assert canned.state()["b", "1"].startswith("busy no worker within 4 s")
    assert canned.calls() == [("a", "1"), ("c", "1")]


def test_without_an_address_it_is_this_machine_alone_and_nothing_of_ray_is_left(
    canned, tmp_path, monkeypatch
):
    """Neither its processes and files, nor a token in the home folder; nor is a cluster of somebody else's joined."""
    before = set(Path("/tmp").glob("rnn-ray-*"))
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert canned.run(canned.begin(None)) == 0
    assert list(canned.state().values()) == ["measured"]
    assert not (tmp_path / ".ray").exists()
    assert set(Path("/tmp").glob("rnn-ray-*")) <= before
    mark = f"HOME={tmp_path}".encode()
    until(lambda: not any(mark in given for given in _environments()))


def _environments():
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


def test_ray_reports_no_usage_whatever_the_environment_says():
    program = (
        "import os, sys; os.environ['RAY_USAGE_STATS_ENABLED'] = '1'\n"
        "from bench.fleet import cluster\n"
        "assert 'ray' not in sys.modules\n"
        "import ray\n"
        "ray.init = lambda *_, **given: print(given['include_dashboard'])\n"
        "cluster.connect(None)\n"
        "from ray._common.usage import usage_lib\n"
        "print(usage_lib.usage_stats_enabled())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_no_cluster_at_the_address_is_told_and_leaves_no_folder(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(fleet, "CONNECT_SECONDS", 4.0)
    out = tmp_path / "out"
    assert main(["fleet", "--address", "127.0.0.1:9", "--suite", "smoke", "--out", str(out)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("bench: no Ray at 127.0.0.1:9 within 4 s")
    assert not out.exists()


def test_a_label_that_no_node_has_is_told(nodes, canned):
    with pytest.raises(BadFleet) as told:
        canned.run(canned.begin(nodes.address, 1, 60.0, "--label=rack=r-a", "--label=name=b"))
    assert "rack=r-a, name=b" in str(told.value)


INTERRUPTED_FLEET = """
import sys
from pathlib import Path
from bench.fleet.plan import Book
from tests.bench.fleet.conftest import Canned
canned = Canned(Path(sys.argv[1]), Path(sys.argv[2]))
sys.exit(canned.run(Book.opened(canned.out)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_keeps_what_came_and_leaves_no_child_nor_does_a_kill(nodes, canned, number):
    canned.will("b", "1", "hangs")
    canned.begin(nodes.address)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_FLEET, str(canned.out), str(canned.says)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: ("b", "1") in canned.calls())
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == (INTERRUPTED if number == signal.SIGINT else -number), said
    until(lambda: not any(alive(line[3]) for line in canned.lines()))
    assert canned.calls() == [("a", "1"), ("b", "1")]
    assert list(canned.state().values()) == ["measured", "waiting", "waiting"]
    assert (canned.out / "a" / "1" / "profile.json").exists()


def test_a_node_that_dies_is_a_row_and_the_others_go_on(nodes, canned):
    canned.will("b", "1", "whole 100")
    killer = threading.Thread(
        target=lambda: (until(lambda: ("b", "1") in canned.calls()), nodes.do("remove", "b"))
    )
    killer.start()
    try:
        assert canned.run(canned.begin(nodes.address)) == 0
    finally:
        killer.join()
        nodes.do("add", "b")
    dead = "dead the node died, or left the cluster"
    assert list(canned.state().values()) == ["measured", dead, "measured"]
    until(lambda: not any(alive(line[3]) for line in canned.lines()))


def test_a_head_that_goes_away_is_one_line_and_what_came_is_kept(nodes, canned, monkeypatch):
    nodes.beheaded = True
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")
    canned.will("b", "1", "whole 100")
    killer = threading.Thread(
        target=lambda: (until(lambda: ("b", "1") in canned.calls()), nodes.do("behead"))
    )
    killer.start()
    with pytest.raises(BadFleet) as told:
        canned.run(canned.begin(nodes.address))
    killer.join()
    assert "the cluster went away" in str(told.value)
    assert "\n" not in str(told.value)
    assert Counter(canned.state().values()) == {"measured": 1, "waiting": 2}
    assert (canned.out / "a" / "1" / "profile.json").exists()
