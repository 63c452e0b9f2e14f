"""The clock of a GPU, with a stand-in for torch.cuda whose time is known."""

from __future__ import annotations

import pytest
import torch

from bench.timing import cuda_clock
from bench.timing.cuda_clock import Sample
from kernels.gpu import graphs
from tests.fake_cuda import FakeCuda

KERNEL = 4e-6


@pytest.fixture
def gpu(monkeypatch):
    def gpu(launch_seconds):
        found = FakeCuda(launch_seconds)
        monkeypatch.setattr(torch, "cuda", found)
        return found

    return gpu


def block(gpu, seconds=KERNEL):
    def run(count):
        for _ in range(count):
            gpu.work(seconds)

    return run


@pytest.mark.parametrize("launch_seconds", [1e-7, 3e-6, 5e-6, 20e-6])
def test_it_times_the_kernels_however_slowly_they_are_launched(gpu, launch_seconds):
    cuda = gpu(launch_seconds)
    found = cuda_clock.seconds_each(block(cuda), 100)
    assert found.seconds == pytest.approx(KERNEL)
    assert not found.launch_bound


def test_the_wait_grows_until_everything_is_enqueued(gpu):
    cuda = gpu(20e-6)
    assert cuda_clock.seconds_each(block(cuda), 1000).cycles == cuda.sleeps[-1]
    assert cuda.sleeps == [cuda_clock.WAIT_CYCLES * 4**n for n in range(len(cuda.sleeps))]
    assert cuda.sleeps[-1] / 2e9 > 1000 * 20e-6 > cuda.sleeps[-2] / 2e9


@pytest.mark.parametrize(("launch_seconds", "count"), [(1e-3, 1000), (1e-6, 1100)])
def test_a_block_that_cannot_be_enqueued_in_time_says_so(gpu, launch_seconds, count):
    """Too slowly launched for the longest wait, or more than the queue holds."""
    found = cuda_clock.seconds_each(block(gpu(launch_seconds)), count)
    assert found.launch_bound


@pytest.mark.parametrize("launch_seconds", [1e-6, 20e-6])
def test_a_block_is_cut_down_to_what_the_queue_holds_and_then_times_the_kernels(
    gpu, launch_seconds
):
    cuda = gpu(launch_seconds)
    work = block(cuda, seconds=1e-6)
    count = cuda_clock.calls_for(work, 0.010)
    assert 512 <= count < 1024
    assert cuda_clock.Clock().seconds_each(work, count) == pytest.approx(1e-6)


def test_a_clock_waits_for_a_block_as_long_as_enqueuing_it_took_before(gpu, monkeypatch):
    cuda = gpu(20e-6)
    monkeypatch.setattr(cuda_clock, "perf_counter", lambda: cuda.cpu)
    clock, work, other = cuda_clock.Clock(), block(cuda), block(cuda)
    for run, count in ((work, 500), (other, 1), (work, 500)):
        cuda.sleeps = []
        clock.seconds_each(run, count)
    assert len(cuda.sleeps) == 1
    assert cuda.sleeps[0] / 2e9 == pytest.approx(2 * 500 * 20e-6, rel=0.01)


def test_a_small_kernel_that_python_launches_slowly_costs_seconds_a_point(gpu, monkeypatch):
    """The reckoning of the clock's docstring: 3 us of work, 20 us to launch, ten rounds beside a probe."""
    cuda = gpu(20e-6)
    monkeypatch.setattr(cuda_clock, "perf_counter", lambda: cuda.cpu)
    clock, step, probe = cuda_clock.Clock(), block(cuda, 3e-6), block(cuda, 2e-3)
    count = clock.calls_for(step, 0.0025)
    assert (count, cuda.cpu < 0.6) == (512, True)
    began = cuda.cpu
    for _ in range(10):
        assert clock.seconds_each(step, count) == pytest.approx(3e-6)
        assert clock.seconds_each(probe, 1) == pytest.approx(2e-3)
    assert cuda.cpu - began < 0.35


def test_a_clock_takes_throttled_samples_again_and_keeps_what_it_could_not_avoid(gpu):
    cuda = gpu(1e-6)
    answers = iter([(), ("heat",), (), (), *[("power cap",)] * 20])
    clock = cuda_clock.Clock(lambda: next(answers))
    clock.seconds_each(block(cuda), 10)
    assert (len(cuda.sleeps), clock.causes) == (2, set())
    clock.seconds_each(block(cuda), 10)
    assert clock.causes == {"power cap"}


def test_work_from_before_is_not_timed(gpu):
    cuda = gpu(1e-6)
    cuda.work(1.0)
    assert cuda_clock.seconds_each(block(cuda), 10).seconds == pytest.approx(KERNEL)


def test_a_graph_is_one_launch_of_all_its_calls(gpu):
    cuda = gpu(20e-6)
    replay, _ = graphs.captured(lambda: cuda.work(KERNEL) or (), times=50)

    def run(count):
        for _ in range(count):
            replay()

    assert cuda_clock.seconds_each(run, 10).seconds == pytest.approx(50 * KERNEL)


@pytest.mark.parametrize("seconds", [KERNEL, 0.3])
def test_a_block_is_as_long_as_asked_and_less_than_twice_that_or_one_call(gpu, seconds):
    cuda = gpu(1e-6)
    cuda.queue = 1 << 20
    count = cuda_clock.calls_for(block(cuda, seconds), 0.010)
    assert count * seconds >= 0.010
    assert count == 1 or count * seconds < 0.020


def readings(*of_each):
    found = iter(of_each)
    return lambda: next(found)


def numbered():
    found = iter(range(100))
    return lambda: Sample(float(next(found)))


def test_a_throttled_sample_is_taken_again():
    heat, power = ("heat",), ("power cap",)
    sample = cuda_clock.unthrottled(numbered(), readings((), heat, power, (), (), ()))
    # the second began while power still held it, after a rest
    assert (sample.seconds, sample.throttle) == (2.0, ())


def test_where_all_are_throttled_the_last_counts_and_says_by_what():
    sample = cuda_clock.unthrottled(numbered(), lambda: ("heat",))
    assert (sample.seconds, sample.throttle) == (float(cuda_clock.MOST_REPEATS), ("heat",))


def test_an_unthrottled_sample_is_taken_once():
    assert cuda_clock.unthrottled(numbered(), lambda: ()) == Sample(0.0)


def test_a_first_call_that_compiles_makes_no_later_wait_long(gpu):
    """Each doubling waited a quarter of a second behind the first: an H200's roofs took 56 seconds, 44 of them so."""
    cuda, compiled = gpu(1e-6), []

    def block(count):
        if not compiled:
            cuda.cpu += 0.5
            compiled.append(True)
        cuda.work(1e-6 * count)

    assert cuda_clock.calls_for(block, 0.010) == 16384
    long = [cycles for cycles in cuda.sleeps if cycles > cuda_clock.WAIT_CYCLES]
    assert len(long) == 1


@pytest.mark.gpu
def test_on_a_card_it_agrees_with_tritons_own_timing(card):
    """By a product of one row, which waits for memory: square ones meet a GPU's limit of power the longer they are
    repeated, and a short one shows the gap between two graphs.
    """
    testing = pytest.importorskip("triton.testing")
    left, right = (
        torch.rand(rows, 16384, device=card, dtype=torch.bfloat16) for rows in (1, 16384)
    )
    out = torch.empty_like(left)

    def call():
        torch.mm(left, right, out=out)
        return (out,)

    replay, _ = graphs.captured(call, times=10)
    ours = cuda_clock.seconds_each(lambda count: [replay() for _ in range(count)], 20).seconds / 10
    theirs = testing.do_bench_cudagraph(call) / 1e3
    assert ours == pytest.approx(theirs, rel=0.02)
