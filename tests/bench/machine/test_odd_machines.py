"""A machine is what its /proc and /sys say, and nothing of the one that reads them."""

from __future__ import annotations

import json
import os
import platform
import random
import re
import stat
import sys
from pathlib import Path

import psutil
import pytest

from bench import __main__
from bench.machine import cgroups, describe, microarch, system
from bench.machine.system import output
from bench.session import machine_warnings
from tests.bench import odd_machines

EPYC, HYBRID = "x86_64-epyc_7451", "20em64t-hybrid-1p6c2t-2ca4co1t"
ARM, POWER = "arm-A510-A710-A715-X3", "nvidiagpunumanodes"
MIB = 1 << 20


@pytest.fixture
def described(tmp_path):
    """Describes the machine of that name, some of its files changed (None: removed)."""

    def made(name, cpus=None, **changed):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        texts = {**odd_machines.files(name), **changed.pop("files", {})}
        odd_machines.lay_out(root, {path: text for path, text in texts.items() if text is not None})
        return describe.machine(root, cpus)

    return made


def codes(found):
    return [warning.code for warning in machine_warnings.of_description(found)]


def last_level(found):
    caches = found["cpu"]["caches"]
    last = max((one["level"] for one in caches), default=None)
    return [(one["instances"], one["size_bytes"]) for one in caches if one["level"] == last]


def test_power9_has_its_cores_and_caches_and_a_gpus_memory_is_no_node_of_its_own(described):
    found = described(POWER)
    cpu = found["cpu"]
    assert (cpu["sockets"], cpu["cores"], cpu["threads"]) == (2, 8, 32)
    assert (found["numa_nodes"], found["numa_memory_only"]) == (2, 6)
    assert last_level(found) == [(4, 10 * MIB)]
    assert [one["instances"] for one in cpu["caches"]] == [8, 4, 4]
    assert cpu["microarch"] == "POWER9"
    assert found["label"] == "POWER9, 8 cores"
    assert found["virtualization"] is None
    assert not codes(found)


def test_two_kinds_of_cores_are_named_counted_apart_and_told_with_the_mend(described):
    found = described(HYBRID)
    assert [tuple(kind.values()) for kind in found["cpu"]["kinds"]] == [
        ("Raptor Cove", 6, 2, "0-11"),
        ("Gracemont", 8, 1, "12-19"),
    ]
    (told,) = (d for d in machine_warnings.of_description(found) if d.code == "kinds of cores")
    assert "taskset -c 0-11" in told.advice
    assert "taskset -c 12-19" in told.advice
    assert (found["cpu"]["cores"], found["cpu"]["threads"]) == (14, 20)
    assert found["governors"] == ["powersave"]


@pytest.mark.parametrize(
    ("cpus", "told"), [([0, 2, 11], False), ([12, 19], False), ([0, 12], True)]
)
def test_a_process_that_keeps_to_one_kind_of_core_is_not_warned(described, cpus, told):
    assert ("kinds of cores" in codes(described(HYBRID, cpus))) == told


@pytest.mark.parametrize(
    ("cpus", "instances"), [(None, 16), ([0, 1], 1), ([0, 48], 1), ([2, 3], 2), (range(24), 8)]
)
def test_of_the_last_level_the_caches_count_that_these_processors_own(described, cpus, instances):
    found = described(EPYC, cpus)
    assert last_level(found) == [(instances, 8 * MIB)]
    assert found["cpu"]["last_level_bytes"] == instances * 8 * MIB
    assert found["cpu"]["cores"] == 48
    assert found["cpu"]["caches"][-1]["machine_instances"] == 16


def test_a_label_names_the_microarchitecture_and_the_cores_that_may_be_used(described):
    assert described(EPYC)["label"] == "AMD EPYC 7451 24-Core Processor (Zen 1), 48 cores"
    assert described(EPYC, [0, 1])["label"].endswith("(Zen 1), 2 cores")
    assert described(EPYC, [0, 48])["label"].endswith("(Zen 1), 1 core")
    quota = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "350000 100000\n"}
    assert described(EPYC, files=quota)["label"].endswith(", 3 cores")


def test_four_kinds_of_arm_cores_make_a_name_and_unknown_caches_are_told(described):
    found = described(ARM)
    kinds = [(kind["name"], kind["cores"]) for kind in found["cpu"]["kinds"]]
    assert kinds == [("Cortex-X3", 1), ("Cortex-A715", 2), ("Cortex-A710", 2), ("Cortex-A510", 3)]
    assert found["cpu"]["caches"] == []
    assert found["cpu"]["last_level_bytes"] is None
    assert {"caches unknown", "kinds of cores"} <= set(codes(found))
    assert all(name in found["label"] for name, _ in kinds)
    assert found["virtualization"] == "unknown"
    assert found["cpu"]["architecture"] == "aarch64"


def test_a_mainframes_guest_is_a_guest_and_named_by_its_architecture(described):
    found = described("s390-kvm")
    assert found["cpu"]["architecture"] == "s390x"
    assert found["virtualization"] == "KVM"
    assert found["cpu"]["model"] is None
    assert found["label"] == "s390x (z196), 3 cores"


@pytest.mark.parametrize(
    ("name", "architecture", "label"),
    [
        ("2arm-2c", "armv7l", "Cortex-A9, 2 cores"),
        ("rv64-visionfive2", "riscv64", "sifive U74-MC, 4 cores"),
    ],
)
def test_machines_without_a_model_are_named_by_what_there_is(described, name, architecture, label):
    found = described(name)
    assert (found["cpu"]["architecture"], found["label"]) == (architecture, label)
    assert found["virtualization"] == "unknown"


@pytest.mark.parametrize(
    ("name", "quota"),
    [("blank-line", None), ("v1-joint-dir-no-symlink", 2.0), ("v2-host-ns", 0.5), (POWER, None)],
)
def test_what_control_groups_grant(described, name, quota):
    assert described(name)["quota"] == quota


@pytest.mark.parametrize("name", odd_machines.NAMES)
def test_no_name_is_a_placeholder_and_nothing_of_this_machine_is_told(described, name, monkeypatch):
    """With everything that could tell of this machine broken, the description is the same."""
    before = described(name)

    def leaks(*_arguments, **_named):
        raise AssertionError

    for module, leak in (
        (os, "sched_getaffinity"),
        (os, "sysconf"),
        (os, "cpu_count"),
        (psutil, "cpu_count"),
        (psutil, "virtual_memory"),
        (platform, "machine"),
        (platform, "processor"),
        (platform, "release"),
        (platform, "system"),
        (platform, "uname"),
    ):
        monkeypatch.setattr(module, leak, leaks)
    monkeypatch.setattr(describe, "output", leaks)
    monkeypatch.setattr(describe, "gpus", leaks)
    assert described(name) == before
    assert "-" not in (before["label"], before["cpu"]["model"], before["cpu"]["microarch"])
    assert before["label"]
    json.dumps(before, allow_nan=False)


@pytest.mark.parametrize("name", odd_machines.NAMES)
def test_a_file_that_is_missing_empty_or_garbled_ends_nothing(tmp_path, name):
    """Each kind of file in turn: one stands for its like, and of processors there are four, to take seconds."""
    numbered = re.compile(r"cpu/cpu(\d{2,}|[4-9])/|cpufreq/policy(\d{2,}|[4-9])/|cgroup/cpuset/")
    files = {p: t for p, t in odd_machines.files(name).items() if not numbered.search(p)}
    root = odd_machines.lay_out(tmp_path, files)
    rng = random.Random(0)
    alike = {re.sub(r"\d+", "N", path): path for path in files}
    garbled = (
        None,
        b"",
        b"\n\n",
        b"\x00\xff\xfe",
        b"0",
        b"-1",
        b"-",
        b"99999999999",
        b"0-99999999",
    )
    for path in alike.values():
        file = root / path
        whole = file.read_bytes()
        half = whole[: rng.randrange(len(whole) + 1)]
        for spoilt in (*garbled, half, b"\n".join(whole.splitlines()[1:])):
            file.unlink(missing_ok=True)
            if spoilt is not None:
                file.write_bytes(spoilt)
            found = describe.machine(root)
            list(machine_warnings.of_description(found))
            assert found["label"]
        file.unlink()
        file.mkdir()  # not to be read, even by root
        assert describe.machine(root)["label"]
        file.rmdir()
        file.write_bytes(whole)


def test_cpuinfo_without_names_and_caches_of_no_bytes_are_not_told(described):
    files = odd_machines.files(EPYC)
    sizes = {path: "0K\n" for path in files if path.endswith("/size")}
    found = described(EPYC, files={**sizes, "proc/cpuinfo": "processor\t: 0\nmodel name\t:\n"})
    assert found["cpu"]["caches"] == []
    assert found["cpu"]["model"] is None
    assert found["virtualization"] == "unknown"
    assert found["cpu"]["cores"] == 48


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "unknown"),
        ({"sys/class/dmi/id/sys_vendor": "Ampere\n"}, None),
        ({"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "QEMU"),
        (
            {
                "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
                "sys/class/dmi/id/product_name": "c7g.metal\n",
            },
            None,
        ),
        (
            {
                "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
                "sys/class/dmi/id/product_name": "c7g.large\n",
            },
            "KVM",
        ),
        ({"proc/device-tree/hypervisor/compatible": "linux,kvm\0"}, "KVM"),
        ({"sys/hypervisor/type": "xen\n"}, "Xen"),
    ],
)
def test_on_arm_firmware_tells_of_a_virtual_machine_or_nothing_does(described, files, told):
    assert described(ARM, files=files)["virtualization"] == told


def test_a_vendor_that_stands_between_blanks_is_one_of_x86s(tmp_path):
    facts = (
        "vendor_id\t:   Shanghai  ",
        "cpu family\t: 7",
        "model\t: 91",
        "flags\t: lm hypervisor",
    )
    texts = {"proc/cpuinfo": "\n".join(("processor\t: 0", *facts))}
    found = describe.machine(odd_machines.lay_out(tmp_path, texts))
    assert (found["cpu"]["family"], found["cpu"]["model_number"]) == (7, 91)
    assert found["virtualization"] == "hypervisor"


def test_cores_numbered_alike_on_two_dies_are_two_where_each_says_it_is_alone(tmp_path):
    """With SMT off, /sys names no sibling; /proc/cpuinfo repeats core ids from die to die."""
    one = "processor\t: {}\nphysical id\t: 0\ncore id\t: 0\n"
    texts = {"proc/cpuinfo": "\n".join(one.format(cpu) for cpu in (0, 1))}
    assert describe.machine(odd_machines.lay_out(tmp_path / "a", texts))["cpu"]["cores"] == 1
    for cpu in (0, 1):
        folder = f"sys/devices/system/cpu/cpu{cpu}/topology"
        texts[f"{folder}/thread_siblings_list"] = f"{cpu}\n"
    assert describe.machine(odd_machines.lay_out(tmp_path / "b", texts))["cpu"]["cores"] == 2


def test_a_folder_of_the_clock_that_is_no_policys_ends_nothing(described):
    files = {f"sys/devices/system/cpu/cpufreq/policy{name}/scaling_governor": name for name in "0x"}
    odd = {path.replace("policyx", "policy0.bak"): text for path, text in files.items()}
    assert described(EPYC, files=odd)["label"] == described(EPYC)["label"]


@pytest.mark.parametrize("stat", [{}, {"sys/fs/cgroup/memory.stat": "inactive_file 1000\n"}])
def test_a_limit_on_memory_holds_where_nothing_tells_what_gives_way(tmp_path, stat):
    limit = {"sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "2000\n"}
    root = odd_machines.lay_out(tmp_path, limit | stat)
    assert cgroups.memory_left(system.System(root)) == 3000 + 1000 * bool(stat)


def test_on_x86_the_processors_flag_tells_and_the_rest_names(described):
    cpuinfo = odd_machines.files(EPYC)["proc/cpuinfo"]
    guest = {"proc/cpuinfo": cpuinfo.replace("rdrand", "rdrand hypervisor")}
    clock = "sys/devices/system/clocksource/clocksource0/available_clocksource"
    assert described(EPYC)["virtualization"] is None
    assert described(EPYC, files=guest)["virtualization"] == "hypervisor"
    assert described(EPYC, files={**guest, clock: "tsc kvm-clock\n"})["virtualization"] == "KVM"


def test_another_family_model_or_stepping_is_another_class_of_machine(described):
    cpuinfo = odd_machines.files(EPYC)["proc/cpuinfo"]
    changes = (("cpu family\t: 23", "cpu family\t: 26"), ("model\t\t: 1\n", "model\t\t: 2\n"))
    changes = (*changes, ("stepping\t: 2", "stepping\t: 3"))
    ids = {described(EPYC)["id"]}
    ids |= {described(EPYC, files={"proc/cpuinfo": cpuinfo.replace(*one)})["id"] for one in changes}
    assert len(ids) == 4
    assert len({described(name)["id"] for name in (EPYC, HYBRID, ARM, POWER, "s390-kvm")}) == 5


def test_processors_in_use_a_quota_and_a_serial_number_make_no_other_machine(described):
    s390 = odd_machines.files("s390-kvm")["proc/cpuinfo"]
    serial = {"proc/cpuinfo": s390.replace("identification = 000000", "identification = 0A1B2C")}
    assert described("s390-kvm")["id"] == described("s390-kvm", files=serial)["id"]
    quota = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert {described(EPYC)["id"]} == {
        described(EPYC, [0, 1])["id"],
        described(EPYC, files=quota)["id"],
    }


@pytest.mark.parametrize(
    ("vendor", "family", "model", "stepping", "name"),
    [
        ("AuthenticAMD", 23, 1, 2, "Zen 1"),
        ("AuthenticAMD", 23, 49, 0, "Zen 2"),
        ("AuthenticAMD", 25, 1, 1, "Zen 3"),
        ("AuthenticAMD", 25, 17, 1, "Zen 4"),
        ("AuthenticAMD", 25, 160, 1, "Zen 4"),
        ("AuthenticAMD", 26, 2, 1, "Zen 5"),
        ("AuthenticAMD", 26, 17, 0, "Zen 5"),
        ("AuthenticAMD", 99, 1, 0, None),
        ("GenuineIntel", 6, 63, 2, "Haswell"),
        ("GenuineIntel", 6, 79, 1, "Broadwell"),
        ("GenuineIntel", 6, 85, 4, "Skylake"),
        ("GenuineIntel", 6, 85, 7, "Cascade Lake"),
        ("GenuineIntel", 6, 85, 11, "Cooper Lake"),
        ("GenuineIntel", 6, 106, 6, "Ice Lake"),
        ("GenuineIntel", 6, 143, 8, "Sapphire Rapids"),
        ("GenuineIntel", 6, 207, 2, "Emerald Rapids"),
        ("GenuineIntel", 6, 173, 1, "Granite Rapids"),
        ("GenuineIntel", 6, 255, 0, None),
        ("CentaurHauls", 6, 63, 0, None),
    ],
)
def test_x86_microarchitectures_by_their_numbers(vendor, family, model, stepping, name):
    """Processors as their owners report them: EPYC 7001 to 9005, Xeon v3 to 6."""
    assert microarch.of_x86(vendor, family, model, stepping) == name


def test_no_two_names_claim_one_processor():
    intel, amd = microarch.TABLE["intel"], microarch.TABLE["amd"]
    models = [model for each in intel.values() for model in each]
    assert len(models) == len(set(models))
    assert microarch.TABLE["hybrid"].keys() <= intel.keys()
    ranges = [one for each in amd.values() for one in each]
    for family, low, high in ranges:
        claims = [one for one in ranges if one[0] == family and one[1] <= high]
        assert sum(low <= one[2] for one in claims) == 1


def test_the_command_reads_a_root_and_tells_what_stands_against_it(tmp_path, capsys):
    root = odd_machines.lay_out(tmp_path, odd_machines.files(HYBRID))
    assert __main__.main(["machine", "--root", str(root), "--cpus", "0,12"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cpu"]["family"] == 6
    assert found["cpus"] == "0,12"
    assert "kinds of cores" in [warning["code"] for warning in found["warnings"]]


@pytest.mark.parametrize(
    "arguments",
    [["--root", "nowhere"], ["--cpus", "x"], ["--cpus", ""], ["--cpus", "0-"], ["--cpus", "60000"]],
)
def test_a_root_or_processors_that_mean_nothing_are_one_line(arguments, capsys):
    assert __main__.main(["machine", *arguments]) == 2
    out, error = capsys.readouterr()
    assert not out
    assert error.count("\n") == 1


def test_this_machine_is_the_same_whatever_language_its_tools_speak(tmp_path, monkeypatch):
    """With an lscpu that answers in German whatever it is asked."""
    before = describe.machine()
    german = tmp_path / "lscpu"
    german.write_text("#!/bin/sh\necho 'Modellname:  Prozessor'\necho 'Hypervisor-Anbieter: KVM'\n")
    german.chmod(german.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    after = describe.machine()
    assert after["id"] == before["id"]
    assert {**after, "virtualization": 0} == {**before, "virtualization": 0}


def test_other_programs_are_asked_in_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    assert output([sys.executable, "-c", "import os; print(os.environ['LC_ALL'])"]) == "C"
    assert output([sys.executable, "-c", "raise SystemExit(1)"]) is None
    assert output(["no such program"]) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's /proc")
def test_this_machines_own_description_only_adds_to_what_its_root_folder_tells():
    whole = describe.machine()
    pure = describe.machine(Path("/"), os.sched_getaffinity(0))
    told = {name: value for name, value in pure["cpu"].items() if value is not None}
    assert {name: whole["cpu"][name] for name in told} == told
    assert whole["memory_bytes"] == psutil.virtual_memory().total
    assert whole["cpu"]["threads"] == psutil.cpu_count()
    assert whole["cpu"]["cores"] == psutil.cpu_count(logical=False)
    assert whole["cpu"]["architecture"] == platform.machine()
