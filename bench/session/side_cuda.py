"""A GPU's side of a run: its memory, survey, sentinel, and what is against its figures.

The GPU that CUDA names first is measured. Tested with a stand-in; not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from bench.device import cuda, cuda_sweep, levels
from bench.machine import nvml
from bench.measure import point, probes
from bench.profile.records import SENTINEL, Level, Point, Profile, Roof, RunWarning
from bench.roofs import gpu_matmul
from bench.session import side, warnings
from bench.session.folder import BadOutput
from bench.telemetry.energy import Meter
from bench.timing import bounded
from kernels.case import Unavailable
from kernels.reference.inputs import Arena

MEMORY_SHARE = 2
"""The arena takes at most one part in so many of the GPU's free memory."""
L2_BYTES = 64 << 20
"""Taken where PyTorch does not tell."""


class CudaSide:
    """One GPU, as one side of a run."""

    device = "cuda"

    def __init__(self, run: side.Keeper, gpu: nvml.Gpu | None, meter: Meter | None) -> None:
        """As NVML knows it; nothing is measured yet."""
        self._run, self._gpu = run, gpu
        self._instruments = cuda.Cuda(gpu, meter)
        self._throttle = gpu.throttle if gpu else lambda: ()
        self.levels: tuple[Level, ...] = ()
        self._bench: probes.Bench | None = None
        self._why_not = ""
        self._largest = cuda_sweep.LARGEST

    def begin(self, earlier: Profile | None) -> None:
        """Survey, arena, bench; where the GPU does not let them be had, its points are skipped with the reason."""
        try:
            self._begin(earlier)
        except Unavailable as reason:
            self._why_not = str(reason)
        except BadOutput:
            raise
        except Exception as error:  # noqa: BLE001 - of CUDA, Triton's compiler, or the C compiler that Triton starts
            self._why_not = f"its roofs cannot be measured: {point.first_line(error)}"

    def _begin(self, earlier: Profile | None) -> None:
        run, settings = self._run, self._run.plan.settings
        cuda.memory_probes()
        reported = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0) or L2_BYTES
        if earlier and side.is_surveyed(earlier, self.device):
            self.levels = tuple(one for one in earlier.levels if one.device == self.device)
        else:
            self._survey(reported)
        ends = [(one.up_to_bytes or self._largest, one.bytes_per_s) for one in self.levels]
        found = levels.last_cache_bytes(ends) if len(ends) > 1 else reported
        last = levels.last_level(found, reported)
        span = point.STREAM_FACTOR * last
        free = self._instruments.memory_available()
        most = free // MEMORY_SHARE
        need = side.arena_bytes(side.planned(run.plan, self.device), span, most)
        arena = Arena(need, self.device, run.seed)
        measured = run.roofs(self.device)
        self._bench = probes.Bench(
            instruments=self._instruments,
            arena=arena,
            page_bytes=None,
            last_level_bytes=last,
            span_bytes=span,
            free_bytes=free,
            arithmetic=side.arithmetic_roofs(measured, {s.name: s for s in gpu_matmul.SHAPES}),
            writes=side.write_roofs(measured),
            precision=settings["precision"],
            budget_seconds=settings["budget_seconds"],
            longest_call_seconds=settings["longest_call_seconds"],
            settle_seconds=0.0,  # nothing spins, and one pass over the data fills the cache
            seed=run.seed,
        )
        self._start = self._sentinel()

    @property
    def bench(self) -> probes.Bench:
        """What points are measured with. Raises Unavailable with why there is none."""
        if self._bench is None:
            raise Unavailable(self._why_not)
        return self._bench

    def middles(self) -> list[int]:
        """A working set well inside each level."""
        ends = [(one.up_to_bytes or self._largest, one.bytes_per_s) for one in self.levels]
        return levels.middle(ends, cuda_sweep.SMALLEST, ends[-1][0])

    def again(self) -> None:
        """The fastest products; the read curve is swept once, because a GPU has no neighbours."""
        if self._bench is not None and self._instruments.lost() is None:
            self._run.keep(
                cuda_sweep.fastest_products(self._bench.arithmetic, self.device, self._throttle)
            )

    def took(self) -> float:
        """A second or so."""
        return 1.0

    def looks(self, found: Sequence[Point]) -> dict[str, side.Look]:
        """At the GPU, the run on it, and its points."""
        bench = self._bench
        looks: dict[str, side.Look] = {"the GPU": self._standing}
        if bench is None or self._instruments.lost():
            return looks
        precision = self._run.plan.settings["precision"]
        return looks | {
            "the GPU's drift": lambda: warnings.of_sentinel(self._start, self._sentinel()),
            "the GPU's paired roofs": lambda: warnings.of_paired_roofs(found),
            "the GPU's clock": lambda: warnings.of_clock(found),
            "the GPU's points": lambda: warnings.of_points(found, precision, bench),
            "small sets": lambda: warnings.of_small_sets(found),
            "launches": lambda: warnings.of_launches(found),
            "the GPU's streamed points": lambda: warnings.of_streaming(found, bench.span_bytes),
        }

    def _standing(self) -> list[RunWarning]:
        card = self._gpu.card() if self._gpu else None
        told = list(warnings.of_gpu_processes(nvml.processes_of_others()))
        if remarks := nvml.remarks(torch.cuda.device_count(), card):
            told.append(RunWarning("gpu", "run", "; ".join(remarks), "nothing, if that is meant"))
        if self._bench is None:
            why = f"no point of the GPU was measured: {self._why_not}"
            return [*told, RunWarning("gpu", "cuda", why, "mend that and measure again")]
        if self._gpu is None:
            message = "NVML cannot be asked: throttling, power and energy of the GPU are unknown"
            told.append(RunWarning("gpu unwatched", "run", message, "install nvidia-ml-py"))
        if cause := self._instruments.lost():
            message = f"the GPU was lost to this process: {cause}"
            told.append(RunWarning("gpu lost", "run", message, "continue with --resume"))
        return told

    def end(self) -> None:
        """Give its memory back."""
        self._bench = None

    def _survey(self, reported: int) -> None:
        """Every roof, and the levels that the read curve shows. Its block is given back."""
        run, throttle = self._run, self._throttle
        count = self._instruments.processors()
        words = cuda_sweep.block(self._instruments.memory_available(), self.device)
        self._largest = words.numel() * 4
        sizes = cuda_sweep.sizes(self._largest)
        run.keep(cuda_sweep.memory("read", words, sizes, count, throttle))
        if self._gpu:
            run.keep(cuda_sweep.datasheet(self._gpu.card()))
        self.levels = cuda_sweep.found_levels(run.roofs(self.device), reported)
        run.keep_levels(self.device, self.levels)
        for kind in ("copy", "triad", "write"):  # the last leaves one number everywhere
            run.keep(cuda_sweep.memory(kind, words, self.middles(), count, throttle))
        del words
        torch.cuda.empty_cache()
        limit = bounded.Limit()
        run.keep(cuda_sweep.arithmetic(self.device, throttle, limit))
        for warning in limit.warnings():
            run.note(warning)
        run.keep(cuda_sweep.calls(self.device, throttle))

    def _sentinel(self) -> Roof:
        bench, count = self.bench, self._instruments.processors()
        size = min(bench.span_bytes, bench.arena.size_bytes)
        words = bench.arena.words()[: size // 4]
        roof = cuda_sweep.sentinel(words, count, self._throttle)
        self._run.note(replace(roof, kind=SENTINEL))
        return roof
