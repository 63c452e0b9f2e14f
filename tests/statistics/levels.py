"""Levels: how often the read curve of a planted machine shows as many as it has, and how far off memory's rate is.

Machines have one to three caches, each 16 to 64 times as large as the one before it and 1.3 to 6 times as fast as the
next level, and a curve as `bench.device.memory_curve` sweeps it, to 1 GiB. A cache ends in one of three ways:

    sharp   at once
    soft    over three doublings, by the same factor at every size
    fading  never quite: of a set too large for it, it keeps as much as it holds

Every level has two sizes of its own at least; as many caches are planted as leave room for that. What disturbs a curve
has a standard deviation of 2 to 10 %: in the caches all variants of a size share one moment in each pass; of memory's
sizes every sample has its own, and every round is slowed down besides, by as much as the absolute value of such a
deviation. Half the curves are swept thoroughly, half in haste. At one look each size has one value with all of the
noise, and memory is a level as the others are.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.device import cpu_sweep, memory_curve, memory_rate
from bench.device.levels import plateaus
from bench.profile.records import BEST_OF, Roof
from tests.statistics.promises import Promise

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
DOUBLINGS = 3
"""Of a soft edge."""
PASSES = BEST_OF
VARIANTS = 6
FINALISTS = 2
LARGEST = {"sharp": 256 * MIB, "soft": 64 * MIB, "fading": 128 * MIB}
"""Of last caches: two sizes at least are memory's; of a fading one, an eighth of the largest may still be served."""
OVER = {"sharp": 1, "soft": 1 << DOUBLINGS, "fading": 1 << DOUBLINGS}
"""A set so many times as large as a cache is the next level's: wholly, or of a fading one for seven parts in eight."""
LEAST = 2
"""Sizes that are each level's own: what is measured once cannot be counted by any means."""


def machine(random, edge, sizes):
    """Ends of the caches in bytes, smallest first, and byte/s of each level, memory's last."""
    most = 2 if OVER[edge] > 1 and 2 * sizes[0] == sizes[1] else 3  # more have no two sizes each
    caches = int(random.integers(1, most + 1))
    first = {1: (MIB, LARGEST[edge]), 2: (128 * KIB, 4 * MIB), 3: (64 * KIB, 256 * KIB)}[caches]
    sizes = np.asarray(sizes)
    while True:
        growth = np.cumsum([0.0, *random.uniform(4, 6, caches - 1)])
        ends = np.exp(random.uniform(*np.log(first))) * 2**growth
        begins = np.array([0.0, *ends]) * OVER[edge]
        own = [
            np.sum((sizes > begin) & (sizes <= end))
            for begin, end in zip(begins, ends, strict=False)
        ]
        if ends[-1] <= LARGEST[edge] and min(own) >= LEAST:
            break
    ratios = np.exp(random.uniform(np.log(1.3), np.log(6), caches))
    memory = np.exp(random.uniform(np.log(10e9), np.log(100e9)))
    return ends, memory * np.cumprod([1.0, *ratios[::-1]])[::-1]


def truth(sizes, ends, rates, edge):
    """Undisturbed byte/s over these sizes."""
    sizes = np.asarray(sizes, float)
    if edge == "fading":
        held = np.minimum(sizes[:, None], [0.0, *ends, np.inf])
        return sizes / (np.diff(held) / rates).sum(axis=1)
    doublings = {"sharp": 1e-9, "soft": DOUBLINGS}[edge]
    gone = np.clip(np.log2(sizes[:, None] / ends) / doublings, 0, 1)
    return np.exp(np.log(rates[0]) + gone @ np.diff(np.log(rates)))


def roofs(random, ends, rates, edge, noise, reported, thorough):
    """Records of the read curve as a run's first sweep leaves them."""
    slower = np.array([1.0, 0.99, 0.98, 0.97, 0.95, 0.9])
    sizes = cpu_sweep.sizes(min(4 * reported, cpu_sweep.SWEPT), thorough)
    moments = noise * random.standard_normal((len(sizes), 1, PASSES))
    own = noise / 4 * random.standard_normal((len(sizes), VARIANTS, PASSES))
    found = truth(sizes, ends, rates, edge)[:, None, None] * slower[:, None] * np.exp(moments + own)
    for size, of_size in zip(sizes, found, strict=True):
        for number, samples in enumerate(of_size):
            yield _roof(size, str(number), samples)
    rounds = cpu_sweep.MEMORY_ROUNDS if thorough else cpu_sweep.MEMORY_ROUNDS_IN_HASTE
    sizes = [size for size in cpu_sweep.sizes(GIB, thorough=False) if size > reported // 2]
    undisturbed = truth(sizes, ends, rates, edge)[:, None, None] * slower[:FINALISTS, None]
    for times in (rounds, 2 * rounds):  # swept again where it is not flat, as the sweep does
        slowed = noise * np.abs(random.standard_normal(times))
        own = noise * random.standard_normal((len(sizes), FINALISTS, times))
        found = undisturbed * np.exp(own - slowed)
        if memory_rate.flat_from(
            [dict(zip(sizes, one, strict=True)) for one in found.max(axis=1).T]
        ):
            break
    for size, of_size in zip(sizes, found, strict=True):
        for number, samples in enumerate(of_size):
            yield _roof(size, str(number), samples, sweep=1)


def _roof(size, variant, samples, sweep=None):
    rates = tuple(samples.tolist())
    return Roof(
        "cpu", "read", "measured", None, int(size), None, 2, variant, "byte/s", rates, (), sweep
    )


def curves(random, trials, edge):
    """(true number of levels, memory's true byte/s, what is read off)."""
    for _ in range(trials):
        thorough = random.random() < 0.5
        ends, rates = machine(random, edge, cpu_sweep.sizes(GIB, thorough))
        noise = random.uniform(0.02, 0.1)
        reported = int(2 ** np.round(np.log2(ends[-1]) + random.uniform(-1, 1)))
        reported = min(max(reported, 4 * MIB), 256 * MIB)
        samples = roofs(random, ends, rates, edge, noise, reported, thorough)
        yield len(rates), rates[-1], memory_curve.read_off(samples, 2, reported, [])


def miscounted(random, trials, edge):
    """Share of the curves with another number of levels than their machine has."""
    return np.mean([len(curve.levels) != count for count, _, curve in curves(random, trials, edge)])


def miscounted_at_a_look(random, trials, edge):
    """The same where every size was sampled once, so that all of the noise is left, and no rounds tell of memory."""
    wrong = 0
    for _ in range(trials):
        sizes = cpu_sweep.sizes(GIB, random.random() < 0.5)
        ends, rates = machine(random, edge, sizes)
        noise = random.uniform(0.02, 0.1) * random.standard_normal(len(sizes))
        looked = truth(sizes, ends, rates, edge) * np.exp(noise)
        found = plateaus(dict(zip(sizes, looked.tolist(), strict=True)))
        wrong += len(found) != len(rates)
    return wrong / trials


def off(random, trials, edge, by):
    """Share of the curves whose memory's rate is off by more than this."""
    return np.mean(
        [
            abs(curve.levels[-1].bytes_per_s / rate - 1) > by
            for _, rate, curve in curves(random, trials, edge)
        ]
    )


def _promises():
    bars = {"sharp": (0.05, 0.08), "soft": (0.15, 0.10), "fading": (0.20, 0.15)}
    for edge, (wrong, by) in bars.items():
        curve = f"the read curve of a machine whose caches end {WORDS[edge]}"
        rate = f"memory's rate, read off it, is off by more than {by:.0%}".replace("%", " %")
        for name, text, simulate, most in (
            (
                f"levels, {edge}",
                f"{curve} shows another number of levels than it has",
                partial(miscounted, edge=edge),
                wrong,
            ),
            (
                f"levels, {edge}, one look",
                "the same where each size was looked at once",
                partial(miscounted_at_a_look, edge=edge),
                wrong,
            ),
            (f"memory, {edge}", rate, partial(off, edge=edge, by=by), 0.05),
        ):
            yield Promise(5, name, text, simulate, most=most, trials=1000, quick=200)


WORDS = {"sharp": "at once", "soft": "over three doublings", "fading": "never quite"}
PROMISES = tuple(_promises())
