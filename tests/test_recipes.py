"""The recipes of bench/recipes: scripts that a shell takes, dead nodes that end no other, and nothing measured twice.

Stand-ins for ssh, scp, srun and for the measurement are programs on PATH. No cluster and no network is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "bench" / "recipes"
SCRIPTS = sorted(RECIPES.glob("*.sh"))
LIMIT = 60

MEASURE = """
for word in "$@"; do case $word in --out=*|--resume=*) folder=${word#*=} ;; esac; done
echo "$folder ${*: -1}" >>"$CALLS"
mkdir -p "$folder"
printf '{}\\n' >"$folder/journal.jsonl"
case $folder in */$BROKEN/*) echo "broken here" >&2; exit 1 ;; esac
if [ -n "$SLOW" ]; then sleep "$SLOW"; fi
printf '{\\n "complete": true\\n}\\n' >"$folder/profile.json"
exit 1
"""
"""Writes a whole profile, and exits 1 all the same, as a run does that saw a point above its roof."""
REPORT = 'echo "judging $*"; echo "--exclude=n2"; exit "$VERDICT"'
SSH = """
while [ "$1" = -o ]; do shift 2; done
if [ "$1" = dead ]; then echo "ssh: connect to host dead: timed out" >&2; exit 255; fi
cd "$HOMES/$1" && exec bash -s
"""
SCP = """
while [ "${1#-}" != "$1" ]; do if [ "$1" = -o ]; then shift; fi; shift; done
cp "$HOMES/${1%%:*}/${1#*:}" "$2"
"""
SRUN = """
for word in "$@"; do case $word in --nodelist=*) export SLURMD_NODENAME=${word#*=} ;; esac; done
if [ "$SLURMD_NODENAME" = dead ]; then echo "srun: error: Node failure on dead" >&2; exit 1; fi
echo "$*" >>"$STEPS"
while [ "$1" != bash ]; do shift; done
exec "$@"
"""
SCONTROL = 'printf "%s\\n" ${3//,/ }'


@pytest.fixture
def site(tmp_path):
    """Programs, hosts' homes and an environment; `calls()` is what was measured, in order."""
    return Site(tmp_path)


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, text in (
            *(("stand-in", MEASURE), ("judge", REPORT), ("ssh", SSH), ("scp", SCP)),
            *(("srun", SRUN), ("scontrol", SCONTROL)),
        ):
            program = self.bin / name
            program.write_text(f"#!/usr/bin/env bash\n{text}", encoding="utf-8")
            program.chmod(0o755)
        for host in ("a", "b"):
            (folder / host / "checkout").mkdir(parents=True)
        self.environment = {
            **os.environ,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "HOMES": str(folder),
            "CHECKOUT": "checkout",
            "CALLS": str(folder / "calls"),
            "STEPS": str(folder / "steps"),
            "BROKEN": "none",
            "SLOW": "",
            "VERDICT": "0",
            "RNN_ROOFLINE_RUN": "stand-in --benchmark-only",
            "RNN_ROOFLINE_REPORT": "judge",
        }
        self.fleet = folder / "a fleet"

    def calls(self):
        path = self.folder / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def profiles(self):
        return {
            path.parent.relative_to(self.fleet).as_posix()
            for path in self.fleet.glob("*/*/profile.json")
        }

    def run(self, *command, **environment):
        return subprocess.run(
            command,
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )

    def ssh(self, hosts="a\n# a comment\ndead\n\nb  # another\n", **environment):
        (self.folder / "hosts").write_text(hosts, encoding="utf-8")
        return self.run("bash", str(RECIPES / "ssh.sh"), "hosts", str(self.fleet), **environment)

    def slurm(self, nodes="n1,dead,n2", **environment):
        command = ("bash", str(RECIPES / "slurm.sh"), str(self.fleet))
        return self.run(
            *command, **{"SLURM_JOB_NODELIST": nodes, "CHECKOUT": str(ROOT), **environment}
        )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash(script):
    done = subprocess.run(
        ["bash", "-n", script], capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck")
    done = subprocess.run(
        ["shellcheck", script], capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path", sorted(path for path in RECIPES.iterdir() if path.is_file()), ids=lambda path: path.name
)
def test_a_recipe_is_in_the_readme_and_names_no_path_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.$}])/(?:work|home|root|Users|tmp)/", text)
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("| "))
    told = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert path.name == "README.md" or f"`{path.name}`" in told


@pytest.mark.parametrize("name", ["slurm.sh", "ssh.sh", "kubernetes.yaml", "reframe_fleet.py"])
def test_what_a_recipe_runs_by_itself_has_options_that_pytest_knows(name, pytestconfig):
    text = (RECIPES / name).read_text(encoding="utf-8")
    (command,) = set(re.findall(r"python -m pytest ([^}\"]+)", text))
    assert command.startswith("-c pyproject.toml --benchmark-only")
    for option in re.findall(r"--[a-z-]+", command):
        pytestconfig.getoption(option)  # raises ValueError for an option nobody added


def test_ssh_measures_those_that_answer_and_tells_of_one_that_does_not(site):
    done = site.ssh()
    assert site.profiles() == {"a/1", "a/2", "b/1", "b/2"}
    assert "dead: pass 1 is missing: ssh: connect to host dead: timed out" in done.stdout
    assert "dead: pass 2 is missing" in done.stdout
    assert f"judging {site.fleet} --out {site.fleet}" in done.stdout
    assert (site.fleet / "dead" / "1").is_dir()  # so that the report sees it, too
    assert done.returncode == 3  # although the report said 0


def test_ssh_begins_the_second_pass_when_all_have_done_the_first_and_by_another_host(site):
    site.ssh("a\nb\n", AT_ONCE="1")
    order = [re.search(r"/(\w)/(\d)$", call.split(" --")[0]).groups() for call in site.calls()]
    assert order == [("a", "1"), ("b", "1"), ("b", "2"), ("a", "2")]


def test_ssh_measures_only_what_is_missing(site):
    assert site.ssh("a\nb\n", BROKEN="b").returncode == 3
    assert site.profiles() == {"a/1", "a/2"}
    before = site.calls()
    done = site.ssh("a\nb\n")
    assert done.returncode == 0
    assert "a: pass" not in done.stdout  # not even asked
    assert site.profiles() == {"a/1", "a/2", "b/1", "b/2"}
    again = site.calls()[len(before) :]
    assert len(again) == 2
    assert all(call.split()[1].startswith("--resume=") for call in again)


def test_ssh_fetches_what_a_host_measured_for_another_fleet_never(site):
    site.ssh("a\n")
    first = site.fleet
    site.fleet = site.folder / "another" / first.name
    site.fleet.parent.mkdir()
    site.ssh("a\n")
    assert len(site.calls()) == 4


def test_hosts_that_share_their_home_share_no_folder(site):
    (site.folder / "b" / "checkout").rmdir()
    (site.folder / "b").rmdir()
    (site.folder / "b").symlink_to(site.folder / "a")
    site.ssh("a\nb\n")
    assert len({call.split()[0] for call in site.calls()}) == 4


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "a;x", "../a"])
def test_ssh_takes_no_host_that_is_an_option_or_a_command(site, host):
    done = site.ssh(f"a\n{host}\n")
    assert done.returncode == 2
    assert host in done.stderr
    assert not site.calls()


def test_ssh_says_so_where_there_is_no_host(site):
    done = site.ssh("# none\n")
    assert done.returncode == 2
    assert "it names no host" in done.stderr


@pytest.mark.parametrize("verdict", [0, 1, 2, 3])
def test_both_exit_as_the_report_does(site, verdict):
    assert site.ssh("a\n", VERDICT=str(verdict)).returncode == verdict
    assert site.slurm("n1", VERDICT=str(verdict)).returncode == verdict


def test_an_interrupted_ssh_leaves_nothing_running_here(site):
    (site.folder / "hosts").write_text("a\n", encoding="utf-8")
    process = subprocess.Popen(
        ["bash", str(RECIPES / "ssh.sh"), "hosts", str(site.fleet)],
        env={**site.environment, "SLOW": str(LIMIT)},
        cwd=site.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until(site.calls)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 130
        _until(lambda: not _of_session(process.pid, "ssh.sh", "kill-after=10"))  # and its ssh
        assert len(site.calls()) == 1  # no second pass
    finally:  # what a host would go on with
        for pid in _of_session(process.pid, ""):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _until(fact):
    deadline = time.monotonic() + LIMIT / 2
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _of_session(session, *words):
    """Processes of a session with one of these words in their command."""
    listed = subprocess.run(
        ["ps", "-s", str(session), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    lines = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, command in lines if any(word in command for word in words)]


def test_slurm_measures_the_nodes_that_live_and_shows_the_option_that_leaves_out_the_slow(site):
    done = site.slurm(VERDICT="1")
    assert site.profiles() == {"n1/1", "n1/2", "n2/1", "n2/2"}
    assert "dead: pass 1 is missing: srun: error: Node failure on dead" in done.stdout
    assert "a job without the slow nodes: sbatch --exclude=n2 ..." in done.stdout
    assert done.returncode == 1
    assert site.slurm().returncode == 3


def test_a_step_of_slurm_asks_for_all_of_its_node(site):
    """srun's own --exclusive and --exact grant a task one processor; the job's --exclusive grants the node."""
    site.slurm("n1")
    for step in (site.folder / "steps").read_text(encoding="utf-8").splitlines():
        assert "--exclusive" not in step
        assert "--exact" not in step
    job = (RECIPES / "slurm.sh").read_text(encoding="utf-8")
    for option in ("--exclusive", "--mem=0", "--no-kill", "--no-requeue"):
        assert f"\n#SBATCH {option}\n" in job


def test_slurm_goes_on_with_what_is_missing_and_takes_other_passes(site):
    site.slurm("n1,n2", BROKEN="n2")
    before = site.calls()
    assert site.slurm("n1,n2").returncode == 0
    assert [call.split(" --")[1] for call in site.calls()[len(before) :]] == [
        f"resume={site.fleet}/n2/1",
        f"resume={site.fleet}/n2/2",
    ]
    site.slurm("n1,n2", PASSES="confirm-1")
    assert {"n1/confirm-1", "n2/confirm-1"} <= site.profiles()


@pytest.fixture(scope="module")
def resources():
    """The documents of kubernetes.yaml, by kind and name."""
    yaml = pytest.importorskip("yaml")
    text = (RECIPES / "kubernetes.yaml").read_text(encoding="utf-8")
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def test_a_job_has_as_many_pods_as_nodes_one_each_and_tries_none_again(resources):
    job = resources["Job", "rnn-roofline-pass-1"]["spec"]
    assert job["completionMode"] == "Indexed"
    assert job["completions"] == job["parallelism"]
    assert job["backoffLimitPerIndex"] == 0
    pod = job["template"]
    (rule,) = pod["spec"]["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"] == pod["metadata"]["labels"]
    assert pod["spec"]["restartPolicy"] == "Never"
    (container,) = pod["spec"]["containers"]
    assert (
        "cpu" not in container["resources"]["limits"]
    )  # a quota stops threads in the middle of a step
    environment = {one["name"]: one for one in container["env"]}
    assert environment["NODE"]["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"
    claim = resources["PersistentVolumeClaim", "rnn-roofline"]["spec"]
    assert claim["accessModes"] == ["ReadWriteMany"]


def test_no_pod_has_a_privilege(resources):
    for (kind, _name), one in resources.items():
        if kind == "Job":
            pod = one["spec"]["template"]["spec"]
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
            assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
            for container in pod["containers"]:
                security = container["securityContext"]
                assert security["allowPrivilegeEscalation"] is False
                assert security["capabilities"] == {"drop": ["ALL"]}


def test_a_pod_measures_its_node_and_goes_on_with_what_is_there(site, resources):
    script = resources["ConfigMap", "rnn-roofline"]["data"]["measure.sh"]
    text = script.replace("/fleet/nodes", f"'{site.fleet}'").replace("/rnn-roofline", f"'{ROOT}'")
    (site.folder / "measure.sh").write_text(text, encoding="utf-8")
    # the checkout's environment is a development's own
    text = text.replace(". .venv/bin/activate", ":")
    (site.folder / "measure.sh").write_text(text, encoding="utf-8")

    def pod(node, job, **environment):
        own = {"NODE": node, "PASS": "pass-1", "JOB": job, "SUITE": "quick", **environment}
        return site.run("sh", "measure.sh", **own)

    assert pod("n1", "first").returncode == 0
    assert pod("n2", "first", BROKEN="n2").returncode != 0
    assert site.profiles() == {"n1/pass-1"}
    twice = pod("n1", "first")
    assert twice.returncode == 1
    assert "another node granted none" in twice.stdout
    assert pod("n1", "second").returncode == 0
    assert pod("n2", "second").returncode == 0
    assert site.profiles() == {"n1/pass-1", "n2/pass-1"}
    assert [call.split(" --")[1].split("=")[0] for call in site.calls()] == ["out", "out", "resume"]
