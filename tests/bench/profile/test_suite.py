"""Suites: what comes with the project loads; what means nothing is refused in one line."""

from __future__ import annotations

import inspect
import itertools
import tracemalloc
from dataclasses import asdict, replace
from itertools import groupby

import pytest

from bench.profile import suite
from bench.profile.errors import BadFile
from kernels import implementations
from kernels.case import CELLS, DEVICES
from kernels.implementations import torch_cell

GROUP = {
    "why": '"a test"',
    "cell": '"lstm"',
    "hidden": "64",
    "batch": "1",
    "implementation": '"torch_cell"',
}


def toml(group=(), settings="", top='why = "mine"'):
    lines = [
        f"{key} = {value}" for key, value in {**GROUP, **dict(group)}.items() if value is not None
    ]
    return "\n".join([top, settings, "[[group]]", *lines, ""])


@pytest.fixture
def load(tmp_path):
    def load(text, seed=0, device="cpu", threads=2):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return suite.load(str(path), device, threads, seed)

    return load


@pytest.mark.parametrize(
    ("name", "device"),
    [
        (name, device)
        for name in suite.names()
        for device in DEVICES
        if device == "cuda" or name not in (suite.DEFAULT_CUDA, "card")
    ],
)
def test_every_suite_of_the_project_loads_and_says_why(name, device):
    plan = suite.load(name, device, 2, seed=0)
    assert plan.name == name
    assert plan.why
    assert plan.points
    assert len({point.key for point in plan.points}) == len(plan.points)
    assert {point.case.device for point in plan.points} == {device}


def test_the_defaults_are_among_them():
    assert {suite.DEFAULT, suite.DEFAULT_CUDA} <= set(suite.names())


def test_a_group_is_planned_for_the_devices_it_names_or_for_every_one_asked_for(load):
    one, other = toml({"device": '"cuda"'}), toml(top="")
    both = one + other
    devices = {
        d: [p.case.device for p in load(both, device=d).points] for d in ("cpu", "cuda", "all")
    }
    assert devices == {"cpu": ["cpu"], "cuda": ["cuda"], "all": ["cpu", "cuda"]}
    assert {p.case.threads for p in load(both, device="all").points if p.case.device == "cuda"} == {
        0
    }


def test_a_cpus_points_come_before_a_gpus(load):
    many = toml({"hidden": "[32, 64, 96, 128]"})
    devices = [point.case.device for point in load(many, device="all").points]
    assert devices == ["cpu"] * 4 + ["cuda"] * 4


def test_a_suite_for_other_devices_alone_and_an_unknown_device_are_told(load):
    with pytest.raises(BadFile, match="all its groups are for other devices than cpu"):
        load(toml({"device": '"cuda"'}))
    with pytest.raises(BadFile, match="device 'tpu' is unknown: use one of cpu, cuda"):
        load(toml({"device": '"tpu"'}))


def test_quick_has_three_cells_of_1024_in_both_residencies_and_lstms_batches_by_our_step_and_pytorchs():
    plan = suite.load("quick", "cpu", 2, seed=0)
    series = {
        (p.case.cell, p.case.residency, p.implementation, p.case.batch)
        for p in plan.points
        if (p.case.hidden, p.case.input, p.case.part, p.case.dtype, p.case.threads)
        == (1024, 1024, "cell", "float32", 2)
    }
    for cell in CELLS:
        for residency, wanted in (("resident", {1}), ("streamed", {1, 4, 16})):
            found = {b for *key, b in series if key == [cell, residency, "numba_fused"]}
            assert found >= wanted
        assert (cell, "streamed", "torch_cell", 1) in series
    for name, wanted in (("torch_cell", {1, 4, 16, 64}), ("numba_fused", {1, 2, 4, 8, 16, 64})):
        assert {b for *key, b in series if key == ["lstm", "streamed", name]} == wanted
    assert {b for *key, b in series if key == ["lstm", "resident", "numba_fused"]} == {1, 4, 16}


def test_quick_has_partners_near_the_cores_for_every_dtype_of_streamed_weights():
    """Without a roof that moves between two points no bound by bandwidth is confirmed."""
    plan = suite.load("quick", "cpu", 2, seed=0).points
    ours = [p.case for p in plan if p.implementation == "numba_fused" and p.case.threads == 2]
    for case in ours:
        if case.residency == "streamed" and case.batch == 1:
            assert replace(case, residency="resident") in ours


def test_smoke_has_every_cell_part_residency_dtype_and_implementation():
    points = suite.load("smoke", "cpu", 2, seed=0).points
    assert {p.implementation for p in points} == {
        "torch_cell",
        "torch_gates",
        "numba_fused",
        "torch_compile",
        "torch_int8",
        "numba_sequence",
        "torch_sequence",
        "onnxruntime_sequence",
    }
    assert max(p.case.steps for p in points) > 1
    for field, known in (
        ("cell", {"rnn", "lstm", "gru"}),
        ("part", {"cell", "linear", "pointwise"}),
        ("residency", {"resident", "streamed"}),
        ("dtype", {"float32", "bfloat16", "int8"}),
        ("phase", {"step", "train"}),
    ):
        assert {getattr(p.case, field) for p in points} == known


def test_train_trains_three_cells_from_one_sequence_to_many_in_both_residencies():
    points = suite.load("train", "cpu", 2, seed=0).points
    assert {p.case.phase for p in points} == {"train"}

    def found(name):
        return {
            (p.case.cell, p.case.hidden, p.case.batch, p.case.residency)
            for p in points
            if p.implementation == name
        }

    sizes = set(itertools.product(CELLS, (512, 1024), (1, 8, 64), ("resident", "streamed")))
    large = itertools.product(("lstm", "gru"), (1024, 2048), (1, 8), ("streamed",))
    assert found("torch_cell") == sizes | set(large)
    shared = itertools.product(("lstm", "gru"), (1024, 2048), (1, 2, 4, 8, 16), ("streamed",))
    assert found("numba_fused") == sizes | set(shared)
    torch = {"torch_cell", "torch_gates", "torch_compile"}
    assert {p.implementation for p in points} == {"numba_fused", *torch}


def own_file(tmp_path):
    """PyTorch's cell as a file of one's own; no file is known from before, nor afterwards."""
    path = tmp_path / "mine.py"
    path.write_text(inspect.getsource(torch_cell))
    return path


@pytest.fixture
def forgotten(monkeypatch):
    monkeypatch.setattr(implementations, "_ADOPTED", {})


@pytest.mark.usefixtures("forgotten")
def test_a_group_may_name_a_file_of_ones_own_and_its_stem_is_the_points(load, tmp_path):
    path = own_file(tmp_path)
    (point,) = load(toml({"implementation": f"'{path}'"})).points
    assert point.implementation == "mine"
    assert implementations.load("mine").label == torch_cell.label


@pytest.mark.usefixtures("forgotten")
def test_a_file_that_is_no_implementation_is_refused_with_suite_group_and_reason(load, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("label = 'x'")
    with pytest.raises(
        BadFile, match=r"mine\.toml\.group\[0\]: .*mine\.py lacks reads, version"
    ) as caught:
        load(toml({"implementation": f"'{path}'"}))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("forgotten")
def test_given_implementations_take_the_place_of_the_groups_and_the_plans_text_says_so(tmp_path):
    path, mine = tmp_path / "mine.toml", own_file(tmp_path)
    path.write_text(toml({"batch": "[1, 2]", "implementation": '["torch_gates", "torch_cell"]'}))
    plan = suite.load(str(path), "cpu", 2, 0, [str(mine), "torch_cell"])
    assert len(plan.points) == 4
    assert {point.implementation for point in plan.points} == {"mine", "torch_cell"}
    path.write_text(plan.text)
    assert suite.load(str(path), "cpu", 2, 0).points == plan.points
    with pytest.raises(BadFile, match="it says itself which implementations"):
        suite.load(str(path), "cpu", 2, 0, ["torch_cell"])


def test_an_unknown_implementation_in_place_of_the_groups_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(toml())
    with pytest.raises(BadFile, match="'nobody' is unknown"):
        suite.load(str(path), "cpu", 2, 0, ["nobody"])


def test_the_plans_text_is_the_files(load, tmp_path):
    assert load(toml()).text == (tmp_path / "mine.toml").read_text()


def test_deepbench_is_deepbenchs_own_list():
    """Inference on servers and devices, and training, one problem being in two of them: its code's own counts."""
    points = suite.load("deepbench", "cpu", 2, seed=0).points
    problems = [(p.case.cell, p.case.hidden, p.case.batch, p.case.steps) for p in points]
    assert len(set(problems)) == len(problems) == 69 + 3 + 53 - 1
    inference = [one for one in problems if one[2] <= 4]
    assert len(inference) == 69 + 3 - 1
    assert {("gru", 2816, 1, 1500), ("gru", 512, 4, 1), ("rnn", 32, 1, 672)} <= set(inference)
    assert {("rnn", 2560, 128, 50), ("lstm", 4096, 16, 25), ("gru", 1024, 64, 1500)} <= set(
        problems
    )
    assert {(p.case.part, p.case.residency, p.case.dtype) for p in points} == {
        ("cell", "resident", "float32")
    }
    assert all(p.case.input == p.case.hidden for p in points)


def test_lists_are_combined_every_one_with_every_other(load):
    plan = load(
        toml({"hidden": "[32, 64]", "batch": "[1, 2, 3]", "dtype": '["float32", "bfloat16"]'})
    )
    found = {(p.case.hidden, p.case.batch, p.case.dtype) for p in plan.points}
    assert found == {
        (h, b, d) for h in (32, 64) for b in (1, 2, 3) for d in ("float32", "bfloat16")
    }
    assert len(plan.points) == 12


def test_what_a_group_leaves_out_is_the_plain_case(load):
    (point,) = load(toml()).points
    case = point.case
    assert (case.input, case.part, case.dtype, case.activations) == (
        64,
        "cell",
        "float32",
        "float32",
    )
    assert (case.residency, case.threads, case.phase) == ("resident", 2, "step")


@pytest.mark.parametrize(
    ("dtype", "activations"),
    [("bfloat16", "bfloat16"), ("float16", "float16"), ("int8", "float32"), ("float8", "bfloat16")],
)
def test_activations_follow_the_weights_dtype(load, dtype, activations):
    (point,) = load(toml({"dtype": f'"{dtype}"'})).points
    assert (point.case.dtype, point.case.activations) == (dtype, activations)


def test_a_point_in_two_groups_is_measured_once(load):
    text = toml(top="")
    assert len(load(toml() + text.replace("batch = 1", "batch = [1, 2]")).points) == 2


def test_settings_replace_the_defaults_and_the_others_stay(load):
    settings = load(toml(settings="[settings]\nprecision = 1")).settings
    assert settings == asdict(suite.Settings(precision=1.0))


LARGE = toml(
    {
        "hidden": "[32, 64, 96, 128]",
        "batch": "[1, 2, 3, 4]",
        "implementation": '["torch_cell", "torch_gates"]',
    }
)


def test_the_same_seed_gives_the_same_order_and_another_seed_another(load):
    first, same, other = (load(LARGE, seed).points for seed in (1, 1, 2))
    assert first == same
    assert first != other
    assert set(first) == set(other)


@pytest.mark.parametrize("seed", range(5))
def test_the_contestants_of_a_case_run_next_to_each_other(load, seed):
    points = load(LARGE, seed).points
    runs = [case for case, _ in groupby(points, key=lambda point: point.case)]
    assert len(runs) == len(set(runs)) == 16


def test_neither_cases_nor_contestants_run_in_the_order_written(load):
    points = load(LARGE, seed=1).points
    batches = [point.case.batch for point in points]
    assert batches != sorted(batches)
    firsts = {
        next(group).implementation for _, group in groupby(points, key=lambda point: point.case)
    }
    assert firsts == {"torch_cell", "torch_gates"}


def test_a_suite_that_may_be_cut_short_runs_in_the_order_written(load):
    written = 'order = "written"\n' + LARGE
    points = load(written, seed=1).points
    assert points == load(written, seed=2).points
    assert sorted(points, key=lambda point: (point.case.hidden, point.case.batch)) == list(points)
    assert [point.implementation for point in points[:2]] == ["torch_cell", "torch_gates"]
    with pytest.raises(BadFile, match="order"):
        load('order = "any"\n' + LARGE)


def test_a_cards_minutes_begin_with_the_fused_step_in_the_suites_of_a_gpu():
    for name in ("card", "gpu"):
        first, *_, last = suite.load(name, "cuda", 16, seed=0).points
        step = (first.case.cell, first.case.hidden, first.case.batch, first.case.residency)
        assert (first.implementation, step) == ("triton_fused", ("lstm", 4096, 1, "streamed"))
        assert last.case != first.case


@pytest.mark.parametrize("name", ["nothing", "quick.", "../suites/quick", "", "QUICK"])
def test_an_unknown_suite_is_refused_and_the_known_ones_are_named(name):
    with pytest.raises(BadFile, match=r"is unknown: use .*quick.* or a \.toml file"):
        suite.load(name, "cpu", 2, 0)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadFile, match=r"absent\.toml: cannot be read: No such file"):
        suite.load(str(tmp_path / "absent.toml"), "cpu", 2, 0)


def test_a_folder_is_not_a_suite(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BadFile, match=r"folder\.toml: cannot be read"):
        suite.load(str(tmp_path / "folder.toml"), "cpu", 2, 0)


@pytest.mark.parametrize(
    ("group", "named"),
    [
        ({"cell": '"lstn"'}, "cell 'lstn'"),
        ({"cell": '["lstm", "lstn"]'}, "cell 'lstn'"),
        ({"cell": "[]"}, "cell: Expected array of length >= 1"),
        ({"cell": '[["lstm"]]'}, "cell"),
        ({"implementation": '"torch_sell"'}, "implementation 'torch_sell'"),
        ({"implementation": "[]"}, "implementation: Expected array of length >= 1"),
        ({"implementation": None}, "missing required field implementation"),
        ({"implementation": "3"}, "implementation '3'"),
        ({"hidden": None}, "missing required field hidden"),
        ({"hidden": "[]"}, "hidden: Expected array of length >= 1"),
        ({"hidden": "0"}, "hidden 0"),
        ({"hidden": "-1"}, "hidden -1"),
        ({"hidden": "1000000000"}, "hidden 1000000000"),
        ({"hidden": "1.5"}, "hidden: Expected int | str | array, got float"),
        ({"hidden": "true"}, "hidden: Expected int | str | array, got bool"),
        ({"hidden": '"64"'}, "hidden '64'"),
        ({"hidden": "nan"}, "hidden: Expected int | str | array, got float"),
        ({"hidden": "{ from = 1 }"}, "hidden: Expected int | str | array, got object"),
        ({"hidden": "1979-05-27"}, "hidden"),
        ({"batch": "[1, 0]"}, "batch 0"),
        ({"batch": "[]"}, "batch: Expected array of length >= 1"),
        ({"input": '"hiden"'}, "input 'hiden'"),
        ({"input": "0"}, "input 0"),
        ({"part": '"all"'}, "part 'all'"),
        ({"dtype": '"float12"'}, "dtype 'float12'"),
        ({"residency": '"cold"'}, "residency 'cold'"),
        ({"threads": '"most"'}, "threads 'most'"),
        ({"threads": "-1"}, "threads -1"),
        ({"why": None}, "missing required field why"),
        ({"why": '" "'}, "why: Expected str matching"),
        ({"why": "5"}, "why: Expected str, got int"),
        ({"hiden": "64"}, "unknown field 'hiden'"),
        ({"phase": '"training"'}, "phase 'training'"),
        ({"phase": '"train"', "part": '"linear"'}, "part 'linear' is not trained alone"),
        ({"phase": '"train"', "dtype": '"int8"'}, "dtype 'int8' is not trained"),
        ({"phase": '"train"', "dtype": '"float8"'}, "dtype 'float8' is not trained"),
        ({"activations": '"float8"'}, "activations 'float8' is unknown"),
    ],
)
def test_a_group_that_means_nothing_is_refused_in_one_line(load, group, named):
    with pytest.raises(BadFile) as caught:
        load(toml(group))
    line = str(caught.value)
    assert "mine.toml.group[0]" in line
    assert named in line
    assert "\n" not in line


def test_the_group_at_fault_is_named_by_its_number(load):
    with pytest.raises(BadFile, match=r"group\[1\]: hidden 0"):
        load(toml() + toml({"hidden": "0"}, top=""))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "missing required field why"),
        ('why = "nothing"', "missing required field group"),
        ('why = "none"\ngroup = []', "group: Expected array of length >= 1"),
        ('why = "none"\ngroup = 3', "group: Expected array, got int"),
        ('why = "none"\ngroup = [3]', "group[0]: Expected object, got int"),
        (toml(top="typo = 1"), "unknown field 'typo'"),
        (toml(settings="[settings]\nprecisoin = 0.1"), "settings: unknown field 'precisoin'"),
        (toml(settings="[settings]\nprecision = 0"), "settings.precision: Expected float > 0"),
        (toml(settings="[settings]\nprecision = -1"), "settings.precision: Expected float > 0"),
        (toml(settings="[settings]\nprecision = nan"), "settings.precision: Expected float > 0"),
        (
            toml(settings="[settings]\nbudget_seconds = inf"),
            "settings.budget_seconds: Expected float < 1000000",
        ),
        (
            toml(settings="[settings]\nbudget_seconds = true"),
            "settings.budget_seconds: Expected float, got bool",
        ),
        (
            toml(settings='[settings]\ncurve_seconds = "5"'),
            "settings.curve_seconds: Expected float, got str",
        ),
        (toml(top="settings = 5"), "settings: Expected object, got int"),
        ("hello", "cannot be read"),
        (toml() + "hidden = 5", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        ("[[group]]\nhidden = ", "cannot be read"),
    ],
)
def test_a_file_that_means_nothing_is_refused_in_one_line(load, text, named):
    with pytest.raises(BadFile) as caught:
        load(text)
    line = str(caught.value)
    assert "mine.toml" in line
    assert named in line
    assert "\n" not in line


@pytest.mark.parametrize("threads", ["0", "3", "[1, 2, 3]"])
def test_more_threads_than_there_are_or_none_are_refused(load, threads):
    with pytest.raises(BadFile, match="threads"):
        load(toml({"threads": threads}), threads=2)


@pytest.mark.parametrize("top", ["", "why = 5"])
def test_a_suite_says_why_it_is_there(load, top):
    with pytest.raises(BadFile, match="why"):
        load(toml(top=top))


def test_a_suite_larger_than_any_is_refused_unread(tmp_path):
    path = tmp_path / "large.toml"
    path.write_text("#" * (suite.LARGEST_FILE_BYTES + 1))
    with pytest.raises(BadFile, match=f"more than the {suite.LARGEST_FILE_BYTES} such a file"):
        suite.load(str(path), "cpu", 2, 0)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = " + "{a = " * 5000, "[" * 10_000],
    ids=["lists", "digits", "tables", "brackets"],
)
def test_what_the_toml_reader_gives_up_on_is_one_line(tmp_path, text):
    path = tmp_path / "deep.toml"
    path.write_text(text)
    with pytest.raises(BadFile, match=r"deep\.toml: cannot be read"):
        suite.load(str(path), "cpu", 2, 0)


def test_more_points_than_a_profile_may_have_are_refused_before_they_are_made(tmp_path):
    path = tmp_path / "many.toml"
    thousand = list(range(1, 1001))
    path.write_text(
        f'why = "many"\n[[group]]\nwhy = "many"\nimplementation = "torch_cell"\n'
        f"hidden = {thousand}\nbatch = {thousand}\ninput = {thousand}\n"
    )
    tracemalloc.start()
    with pytest.raises(BadFile, match=r"group\[0\]: its points are more than the 100000"):
        suite.load(str(path), "cpu", 2, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20
