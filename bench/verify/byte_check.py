"""Which steps are counted, beyond which simulated last level, and what a count says of the cost model.

Streamed: the last level would hold several sets of weights, and the rotation outgrows it as it does the real one; so
what a step fetches is what it fetches from memory. Resident: the last level is too small for the weights, so that what
a step fetches is what it reads of them from wherever they lie, once or twice; and a second time in a last level that
holds them, beyond which nothing should be fetched. Counts are bytes read; what they contain beside weights and state is
the interpreter's and the library's own data.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product

from bench.device import levels
from bench.measure.rotation import weight_sets
from bench.profile.records import Point, Profile
from bench.verify.checks import GOOD, Check, within
from bench.verify.counted_steps import Count, Job
from kernels import cost, implementations
from kernels.case import ACTIVATIONS, CELLS, DTYPES, ELEMENT_BYTES, Case
from kernels.reference.inputs import set_bytes

FAR = 16 << 20
"""Simulated last level that streamed steps must outgrow."""

ROOMY = 32 << 20
"""Simulated last level that holds a set of weights and a copy, which PyTorch's LSTM sequences make in every call."""

NEAR = 1 << 20
"""Simulated last level that holds no set of weights worth a count: what a step fetches from beyond the inner caches."""

LARGEST_SET_BYTES = 160 << 20
"""A larger set takes the simulator more than some ten seconds."""

LEAST_OF_NEAR = 4
"""Weights must be so many times the small last level, or the interpreter's data are too large beside them."""

MOST_SETS = 128
"""Longest rotation of sets of weights that is simulated."""

SLOW = ("torch_compile",)
"""Its compiled modules take 40 s a step under the simulator, of three minutes that there are by default."""

MORE = "more"
"""In a table, for a step that reads more than the model charges."""

BAND = (0.98, 1.02)
"""Counted over modelled: below it bytes are charged that nobody reads; above it a step reads some twice, or others."""

STAYS = 0.02
"""Largest share of its weights that a resident step may fetch from beyond a cache that holds them."""


CASES = (
    (512, "streamed", FAR),
    (768, "streamed", FAR),
    (512, "resident", ROOMY),
    (768, "resident", NEAR),
    (1024, "resident", NEAR),
)
"""Units, residency and simulated last level of what is counted of every cell; the first of an LSTM by default."""


def jobs(names: Sequence[str], *, thorough: bool) -> list[Job]:
    """What `python -m bench verify` counts: an LSTM streamed at 512 units by each of these but those in SLOW.

    With `thorough` every cell by every one of them, streamed at 512 and 768 units, and at 512 units resident in a
    last level with room for them, beyond which nothing should be fetched. Resident at 768 and 1024 units beyond a
    small one. Twice as many units where weights have one byte, for their bytes are then as many.
    """
    wanted = [name for name in names if thorough or name not in SLOW or len(names) == 1]
    cells, cases = (CELLS, CASES) if thorough else (("lstm",), CASES[:1])
    found = []
    for name, cell, (H, residency, last_level) in product(wanted, cells, cases):
        dtype = _dtype(name)
        size = 2 * H if ELEMENT_BYTES[dtype] == 1 else H
        kind = {"dtype": dtype, "activations": ACTIVATIONS[dtype], "residency": residency}
        found.append(_job(Case(cell, size, size, 1, **kind), name, last_level))
    return found


def jobs_on_gpu(names: Sequence[str], last_level_bytes: int) -> list[Job]:
    """What is counted on a GPU, with so much second-level cache: every cell, streamed, at two sizes."""
    cases = [
        Case(cell, H, H, 1, residency="streamed", device="cuda", threads=0)
        for cell in CELLS
        for H in (1024, 2048)
    ]
    return [_job(case, name, last_level_bytes) for name in names for case in cases]


def of_points(measured: Sequence[Point]) -> tuple[list[Job], list[Count]]:
    """Jobs for a profile's points, each case once whatever its threads; and the others, with why they are not counted.

    A count is of one thread: how many share out the weights does not change how many bytes there are.
    """
    pairs = dict.fromkeys(_alone(point) for point in measured if point.status == "ok")
    wanted, refused = [], []
    for case, name in pairs:
        job = _job(case, name, FAR if case.residency == "streamed" else NEAR)
        reason = _uncountable(job)
        if reason:
            refused.append(Count(job, "none", reason=reason))
        else:
            wanted.append(job)
    return wanted, refused


def into(profile: Profile, counts: Iterable[Count]) -> Profile:
    """The profile with `counted_bytes` in every point whose case, implementation and sizes were counted."""
    known = {
        (found.job.case, found.job.implementation): {
            "tool": f"{found.tool}, last level {found.job.last_level_bytes >> 20} MiB",
            "read": found.read,
            "written": found.written,
        }
        for found in counts
        if found.read is not None
    }
    counted = (
        replace(point, counted_bytes=known.get(_alone(point), point.counted_bytes))
        for point in profile.points
    )
    return replace(profile, points=tuple(counted))


def ratio(found: Count) -> float | None:
    """Counted over modelled bytes read; None where it was not counted."""
    return None if found.read is None else found.read / cost.count(found.job.case).bytes_read


def stays(job: Job) -> bool:
    """Whether its one set of weights lies within the last level, beyond which nothing should then be fetched."""
    return job.case.residency == "resident" and job.last_level_bytes == ROOMY


def checks(counts: Iterable[Count]) -> list[Check]:
    """One for every count, and one for every reason why an implementation's steps are not counted."""
    return list(dict.fromkeys(check(count) for count in counts))


def check(found: Count) -> Check:
    """No fewer bytes than the model charges; next to none where the weights stay. More is a finding about the step."""
    job, case, share = found.job, found.job.case, ratio(found)
    if share is None:
        return Check("counted", job.implementation, str(found.reason))
    name = (
        f"{case.cell} {case.hidden} {case.dtype}, {case.residency}, beyond {job.last_level_bytes >> 20} MiB, "
        f"{job.implementation}"
    )
    compulsory, written = cost.count(case).bytes_read / 1e6, (found.written or 0) / 1e3
    told = f"{share:.4f} of {compulsory:.3f} MB, {written:.1f} kB written back"
    if stays(job):
        wanted, margin = f"at most {STAYS}: they stay", within(share, None, STAYS)
    else:
        wanted, margin = f"{BAND[0]} to {BAND[1]}", within(share, BAND[0], None)
    return Check("counted", name, told, wanted, margin, MORE if share > BAND[1] else GOOD)


def _alone(point: Point) -> tuple[Case, str]:
    case = replace(point.case, threads=1) if point.case.device == "cpu" else point.case
    return case, point.implementation


def _uncountable(job: Job) -> str | None:
    case, weights = job.case, cost.count(job.case).weight_bytes
    if case.device != "cpu":
        return "a GPU's step is not counted by a simulator of a processor's caches"
    if case.steps != 1:
        return "a call of several steps is not counted"
    if case.phase != "step" and case.residency == "streamed":
        return (
            "the simulated last level would hold the weights when a training step reads them again"
        )
    if weights > LARGEST_SET_BYTES:
        return f"{weights} bytes of weights take the simulator too long"
    if case.residency == "resident" and weights < LEAST_OF_NEAR * NEAR:
        return f"{weights} bytes of weights are too few to outgrow a simulated cache of {NEAR}"
    if job.sets > MOST_SETS:
        return f"{weights} bytes of weights are too few to outgrow a simulated cache of {FAR}"
    return None


def _job(case: Case, name: str, last_level: int) -> Job:
    one_set = cost.count(case).weight_bytes
    with suppress(Exception):  # the child meets it again, and says so
        one_set = set_bytes(implementations.load(name).layout(case), case.dtype)
    sets = weight_sets(case, one_set, levels.STREAM_FACTOR * last_level)
    return Job(case, name, sets, last_level)


def _dtype(name: str) -> str:
    """float32, or the first dtype of weights that the implementation takes."""
    with suppress(Exception):  # the child meets it again, and says so
        module = implementations.load(name)
        for dtype in DTYPES:
            case = Case("lstm", 512, 512, 1, dtype=dtype, activations=ACTIVATIONS[dtype])
            if module.unavailable(case) is None:
                return dtype
    return DTYPES[0]
