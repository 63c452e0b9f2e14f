"""The clock of a GPU, with a stand-in for torch.cuda whose time is known."""

from __future__ import annotations

import pytest
import torch

from bench import clock_cuda
from bench.clock_cuda import Sample
from kernels import graphs
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
    found = clock_cuda.seconds_each(block(cuda), 100)
    assert found.seconds == pytest.approx(KERNEL)
    assert not found.launch_bound


def test_the_wait_grows_until_everything_is_enqueued(gpu):
    cuda = gpu(20e-6)
    clock_cuda.seconds_each(block(cuda), 1000)
    assert cuda.sleeps == [clock_cuda.WAIT_CYCLES * 4**n for n in range(len(cuda.sleeps))]
    assert cuda.sleeps[-1] / 2e9 > 1000 * 20e-6 > cuda.sleeps[-2] / 2e9


def test_a_block_that_cannot_be_enqueued_in_time_says_so(gpu):
    cuda = gpu(1e-3)
    found = clock_cuda.seconds_each(block(cuda), 1000)
    assert found.launch_bound
    assert found.seconds > KERNEL


def test_work_from_before_is_not_timed(gpu):
    cuda = gpu(1e-6)
    cuda.work(1.0)
    assert clock_cuda.seconds_each(block(cuda), 10).seconds == pytest.approx(KERNEL)


def test_a_graph_is_one_launch_of_all_its_calls(gpu):
    cuda = gpu(20e-6)
    replay, _ = graphs.captured(lambda: cuda.work(KERNEL) or (), times=50)

    def run(count):
        for _ in range(count):
            replay()

    assert clock_cuda.seconds_each(run, 10).seconds == pytest.approx(50 * KERNEL)


@pytest.mark.parametrize("seconds", [KERNEL, 0.3])
def test_a_block_is_as_long_as_asked(gpu, seconds):
    cuda = gpu(1e-6)
    count = clock_cuda.calls_for(block(cuda, seconds), 0.010)
    assert count * seconds >= 0.010 * (1 - 1e-6)
    assert (count - 1) * seconds < 0.011


def readings(*of_each):
    found = iter(of_each)
    return lambda: next(found)


def numbered():
    found = iter(range(100))
    return lambda: Sample(float(next(found)))


def test_a_throttled_sample_is_taken_again():
    heat, power = ("heat",), ("power cap",)
    sample, discarded = clock_cuda.unthrottled(numbered(), readings((), heat, power, (), ()))
    # the second began while heat still held it, the third while power did
    assert (sample.seconds, sample.throttle, discarded) == (3.0, (), 3)


def test_where_all_are_throttled_the_last_counts_and_says_by_what():
    sample, discarded = clock_cuda.unthrottled(numbered(), lambda: ("heat",))
    assert discarded == clock_cuda.MOST_REPEATS
    assert (sample.seconds, sample.throttle) == (float(clock_cuda.MOST_REPEATS), ("heat",))


def test_an_unthrottled_sample_is_taken_once():
    assert clock_cuda.unthrottled(numbered(), lambda: ()) == (Sample(0.0), 0)


@pytest.mark.gpu
def test_on_a_card_it_agrees_with_tritons_own_timing(card):
    testing = pytest.importorskip("triton.testing")
    left, right = (torch.rand(4096, 4096, device=card, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(left)

    def call():
        torch.mm(left, right, out=out)
        return (out,)

    replay, _ = graphs.captured(call, times=10)
    ours = clock_cuda.seconds_each(lambda count: [replay() for _ in range(count)], 20).seconds / 10
    theirs = testing.do_bench_cudagraph(call) / 1e3
    assert ours == pytest.approx(theirs, rel=0.02)
