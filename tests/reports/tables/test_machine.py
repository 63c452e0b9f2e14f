"""The report's table of a machine."""

from __future__ import annotations

from dataclasses import replace

from bench.machine import describe
from bench.profile import reader
from reports.analysis.analysis import Analysis
from reports.tables import machine
from tests.bench import odd_machines

OLD = odd_machines.FOLDER.parent / "profile-1.json"


def rows(profile):
    return {name.text: value.text for name, value in machine.facts(Analysis(profile)).rows}


def test_it_states_the_class_of_machine_and_its_kinds_of_cores(tmp_path):
    files = odd_machines.files("20em64t-hybrid-1p6c2t-2ca4co1t")
    described = describe.machine(odd_machines.lay_out(tmp_path, files))
    stated = rows(replace(reader.load(OLD), machine=described))
    assert stated["microarchitecture"] == "Raptor Lake"
    assert stated["family, model, stepping"] == "6, 186, 2"
    assert "6 Raptor Cove (processors 0-11)" in stated["kinds of cores"]
    assert stated["clock governors"] == "powersave"


def test_of_an_older_profile_it_says_that_the_class_is_not_told():
    stated = rows(reader.load(OLD))
    assert {stated["microarchitecture"], stated["family, model, stepping"]} == {"not told"}
    assert "kinds of cores" not in stated
