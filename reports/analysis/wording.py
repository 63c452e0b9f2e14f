"""Numbers, cases, points and verdicts as people read them.

Numbers have three significant digits, no exponents, one unit per column.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.profile.errors import printable
from bench.profile.records import Point, Profile
from bench.profile.stats import Estimate, median
from kernels.case import ACTIVATIONS, Case
from kernels.roofline_model import BANDWIDTH, CODE
from reports.analysis.verdict import CONFIRMED, LATENCY, MARK, Verdict

ABSENT = "\N{EN DASH}"
"""What stands where a figure is missing."""
NOT_TOLD = "not told"
TIMES = "\N{MULTIPLICATION SIGN}"
HOISTED = "\N{DOUBLE DAGGER}"
"""Stands behind an implementation whose steps need not fetch all weights."""
LEGEND = (
    f"{CONFIRMED} confirmed: at least two independent experiments agree that the time moves as this bound "
    "predicts, together they exclude the others, and none contradicts, and for bandwidth a roof moved in one of them; "
    f"or, of an implementation, another one does the same step faster. {MARK} unconfirmed."
)
"""What the marks behind a verdict mean."""

TIME_UNITS = ((1e-6, "ns", 1e9), (1e-3, "µs", 1e6), (1.0, "ms", 1e3))
SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def number(value: float | None) -> str:
    """Three significant digits, thousands set apart, never an exponent: 0.0123, 4.56, 78.9, 12,300."""
    if value is None:
        return ABSENT
    if not value:
        return "0"
    exponent = int(f"{value:.2e}".partition("e")[2])  # of the rounded number: 9.996 reads 10.0
    return f"{value:,.{max(0, min(9, 2 - exponent))}f}"


def percent(value: float | None) -> str:
    """A fraction in per cent: 0.873 is 87 %, 0.0123 is 1.2 %, and 0.9987 is 99.9 %, for it is not all."""
    if value is None:
        return ABSENT
    fine = abs(value) < 0.0995 or 0.995 <= value < 1
    return f"{100 * value:.1f} %" if fine else f"{100 * value:.0f} %"


def joined(low: str, high: str) -> str:
    """The ends of an interval: 638–650, or one of them where they read alike."""
    return low if low == high else f"{low}\N{EN DASH}{high}"


def percent_range(value: Estimate | None) -> str:
    """The interval of a fraction in per cent: 85–89 %."""
    if value is None:
        return ABSENT
    low, high = percent(value.low), percent(value.high)
    return low if low == high else joined(low.removesuffix(" %"), high)


def share(value: Estimate) -> str:
    """A fraction with its interval: 87 % (85–89 %)."""
    return f"{percent(value.median)} ({percent_range(value)})"


def reached(fraction: Estimate | None, found: Verdict) -> str:
    """A share of the roof: 87 %; of a step that does not follow its roof a range, 36–41 %, for the roof moves it."""
    if fraction is None:
        return ABSENT
    return percent_range(fraction) if found.name == CODE else percent(fraction.median)


def span(value: Estimate | None, factor: float = 1.0) -> str:
    """The interval of an estimate, times `factor`: 638–650."""
    if value is None:
        return ABSENT
    return joined(number(value.low * factor), number(value.high * factor))


def time_unit(seconds: Iterable[float]) -> tuple[str, float]:
    """The unit that suits a column of times, by its middle one, and the factor from seconds."""
    ordered = sorted(seconds)
    middle = ordered[len(ordered) // 2] if ordered else 1e-4
    units = ((unit, factor) for below, unit, factor in TIME_UNITS if middle < below)
    return next(units, ("s", 1.0))


def size(count: float | None) -> str:
    """Bytes in the binary units caches are sold in: 32 KiB, 1.5 MiB."""
    if count is None:
        return ABSENT
    for least, unit in SIZES:
        if count >= least:
            digits = ",.4g" if count < 1024 * least else ",.0f"
            return f"{count / least:{digits}} {unit}"
    return f"{count:.0f} B"


def giga(per_s: float | None) -> str:
    """A rate per second in units of 10^9."""
    return ABSENT if per_s is None else number(per_s / 1e9)


def gain(factor: float) -> str:
    """A factor of speed, to two digits: 2.1, 24."""
    return f"{factor:.1f}" if factor < 9.95 else f"{factor:,.0f}"


def decimal(value: float) -> str:
    """Two decimals with a true minus sign, and no minus zero: 0.97, −0.12."""
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "\N{MINUS SIGN}")


def machine(profile: Profile) -> str:
    """The machine's name as it calls itself: its label, else its processor; a GPU's, measured alone."""
    alone = {point.case.device for point in profile.points} == {"cuda"}
    measured = _gpu(profile).get("name") if alone else None
    for name in (measured, profile.machine.get("label"), profile.cpu.get("model")):
        if name and name.strip():
            return printable(" ".join(name.split()))
    return "this machine"


def _gpu(profile: Profile) -> Mapping[str, Any]:
    """The GPU that is measured, the first; empty where there is none."""
    return next(iter(profile.machine.get("gpus") or ()), {})


def numbers(profile: Profile) -> str:
    """Family, model and stepping of the processor, which its name may not tell; older profiles do not either."""
    known = [profile.cpu.get(name) for name in ("family", "model_number", "stepping")]
    return NOT_TOLD if None in known else ", ".join(map(str, known))


def microarchitecture(profile: Profile) -> str:
    """Its name, if the profile tells; none is derived here."""
    return profile.cpu.get("microarch") or NOT_TOLD


def setting(case: Case, threads: str | None = None) -> str:
    """A case without its batch, in words: `lstm, H 1024, streamed, float32, 2 threads`.

    `threads` may say how many they are where a number would tell less: `all`.
    """
    words = [f"{case.cell}{_kind(case)}", f"H {case.hidden}"]
    words += [f"I {case.input}"] if case.input != case.hidden else []
    words += [f"{case.steps} steps a call"] if case.steps > 1 else []
    return ", ".join(
        [*words, case.residency, dtypes(case), setup(case.device, threads or case.threads)]
    )


def short(case: Case) -> str:
    """A case without batch and threads, as short as a terminal wants it: `lstm 1024 streamed float32`."""
    sizes = str(case.hidden) if case.input == case.hidden else f"{case.input}>{case.hidden}"
    device = "" if case.device == "cpu" else f" {case.device}"
    steps = "" if case.steps == 1 else f" T{case.steps}"
    return f"{case.cell}{_kind(case)} {sizes}{steps} {case.residency} {dtypes(case)}{device}"


def _kind(case: Case) -> str:
    """What a case is beside a whole step of inference, with a blank in front: ` linear`, ` train`."""
    part = "" if case.part == "cell" else f" {case.part}"
    return part if case.phase == "step" else f"{part} {case.phase}"


def setup(device: str, threads: int | str) -> str:
    """Where a step runs, in words: `1 thread`, `2 threads`, or the device that is no CPU."""
    few = "thread" if threads in (1, "1") else "threads"
    return f"{threads} {few}" if device == "cpu" else device


def dtypes(case: Case) -> str:
    """The weights' dtype, and the activations' where it is another: `bfloat16 x float32`."""
    return case.dtype if case.activations == case.dtype else f"{case.dtype} x {case.activations}"


def arithmetic(case: Case) -> str:
    """What the arithmetic roof of a case is called: by its weights, and by its activations where they are unusual."""
    return case.dtype if case.activations == ACTIVATIONS.get(case.dtype) else dtypes(case)


def contender(point: Point) -> str:
    """Its implementation's name, marked where it must fetch less than another may have to."""
    return point.implementation + ("" if point.fetched == ("W", "U") else f" {HOISTED}")


def why_absent(point: Point) -> str:
    """Why a point has no figure: `skipped: takes float32 only`."""
    return f"{point.status}: {point.reason or 'no reason recorded'}"


def energy(profile: Profile) -> str:
    """Why points have no energy, by device, and what idle power is in it; nothing where there is nothing to say."""
    told = profile.environment.get("energy", {})
    why = [f"on {device}: {reason}" for device, reason in told.items() if reason != "counted"]
    idle = [
        f"on {device} {watts:.0f} W as the run began"
        for device, watts in (profile.environment.get("idle_power_w") or {}).items()
        if told.get(device) == "counted"
    ]
    without = [f"Energy of a step was not measured {'; '.join(why)}."] if why else []
    within = [f"Energy of a step holds its share of idle power: {'; '.join(idle)}."] if idle else []
    return " ".join(without + within + _beyond_power(profile))


def _beyond_power(profile: Profile) -> list[str]:
    """That the energy of a GPU's points is more than its limit of power gives in their time, and why; where it is."""
    limit = _gpu(profile).get("power_limit_w")
    drawn = [
        point.joules / median(point.seconds)
        for point in profile.points
        if point.case.device == "cuda" and point.joules and point.seconds
    ]
    most = max(drawn, default=0.0)
    if not limit or most <= limit:
        return []
    count = sum(watts > limit for watts in drawn)
    text = (
        f"At {count} of {len(drawn)} points it is more than the GPU's limit of {limit:.0f} W gives in the time of the "
        f"step, by up to {percent(most / limit - 1)}: it is counted over a long row of steps, which takes longer, for "
        "a GPU at its limit slows down, than the short samples that are timed."
    )
    return [text]


def streaming(profile: Profile) -> str:
    """What streamed points of a GPU go through at least, beside its second-level cache; nothing without either."""
    cache = _gpu(profile).get("l2_bytes")
    streamed = [
        (point.working_set_bytes, point.weight_sets)
        for point in profile.points
        if (point.case.device, point.case.residency) == ("cuda", "streamed")
        and point.working_set_bytes
    ]
    if not cache or not streamed:
        return ""
    least, sets = min(streamed, key=lambda one: one[0] or 0)
    assert least is not None
    each = "one set of weights" if sets == 1 else f"{sets} sets of weights"
    times = f"{number(least / cache)} times its second-level cache"
    return f"A GPU's streamed points go through {number(least / 1e6)} MB or more, {each}: {times}."


def verdict(found: Verdict) -> str:
    """A verdict without its mark: `bandwidth (DRAM)`, `implementation (2.1× to gain)`."""
    if found.name.startswith(BANDWIDTH) and found.level:
        return found.name.replace(BANDWIDTH, f"{BANDWIDTH} ({found.level})")
    if found.name == CODE and found.faster:
        return f"{CODE} ({gain(found.faster)}{TIMES} to gain)"
    if found.name == LATENCY:
        return "latency (weights on chip)"
    if found.name == "mixed":
        return f"mixed ({' or '.join(found.between)})"
    return found.name


def marked(found: Verdict) -> str:
    """A verdict with its mark where it names a bound."""
    names_none = found.name in ("unknown", "impossible", LATENCY)
    return verdict(found) if names_none else f"{verdict(found)} {found.mark}"


def legend(points: Iterable[Point]) -> str:
    """What the marks behind verdicts mean, and those behind names where there are any."""
    if all(point.fetched == ("W", "U") for point in points):
        return LEGEND
    once = "fetches W or U once for all steps of a call: to be compared with its like alone."
    return f"{LEGEND} {HOISTED} {once}"
