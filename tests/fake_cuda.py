"""A stand-in for torch.cuda: a GPU whose time is counted, with one queue of work, events, a wait and graphs."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager

CYCLES_PER_SECOND = 2e9


class FakeCuda:
    """Work is enqueued at the CPU's time and done at the GPU's, each launch `launch_seconds` after the one before."""

    def __init__(self, launch_seconds=1e-6, queue=1024):
        self.queue, self.pending = queue, deque()
        self.cpu = self.gpu = 0.0
        self.launch_seconds = launch_seconds
        self.recording = None
        self.sleeps = []
        self.log = []

    def work(self, seconds, launches=1):
        """A kernel of so long a time, enqueued now."""
        if self.recording is not None:
            self.recording.seconds += seconds
            return
        self.cpu += launches * self.launch_seconds
        if len(self.pending) >= self.queue:  # the CPU waits until there is room
            self.cpu = max(self.cpu, self.pending.popleft())
        self.gpu = max(self.gpu, self.cpu) + seconds
        self.pending.append(self.gpu)

    # what torch.cuda has

    def Event(self, enable_timing=False):  # noqa: N802 - torch's name
        assert enable_timing
        return _Event(self)

    def synchronize(self):
        self.cpu = max(self.cpu, self.gpu)
        self.pending.clear()

    def _sleep(self, cycles):
        self.sleeps.append(cycles)
        self.work(cycles / CYCLES_PER_SECOND)

    def Stream(self):  # noqa: N802
        return _Stream(self, "side")

    def current_stream(self):
        return _Stream(self, "current")

    @contextmanager
    def stream(self, stream):
        self.log.append(f"on {stream.name}")
        yield
        self.log.append(f"off {stream.name}")

    def CUDAGraph(self):  # noqa: N802
        return _Graph(self)

    def graph_pool_handle(self):
        return "pool"

    @contextmanager
    def graph(self, graph, pool=None):
        graph.pool = pool
        self.log.append("record")
        self.recording = graph
        yield
        self.recording = None
        self.log.append("recorded")


class _Event:
    def __init__(self, cuda):
        self._cuda, self._at = cuda, None

    def record(self):
        self._at = max(self._cuda.gpu, self._cuda.cpu)

    def query(self):
        return self._cuda.cpu >= self._at

    def synchronize(self):
        self._cuda.synchronize()

    def elapsed_time(self, end):
        return 1e3 * (end._at - self._at)


class _Stream:
    def __init__(self, cuda, name):
        self._cuda, self.name = cuda, name

    def wait_stream(self, other):
        self._cuda.log.append(f"{self.name} waits for {other.name}")


class _Graph:
    def __init__(self, cuda):
        self._cuda, self.seconds = cuda, 0.0

    def replay(self):
        self._cuda.work(self.seconds)
