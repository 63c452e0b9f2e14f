"""Fleets: equal nodes called slow, slow ones found, the smallest slowdown that is stated; beside the rules of others.

A node has an effect of its own, 0 but where it is planted; every pass of it another, which is noise; both on the
logarithms of times. Judged are the steps and PARTS other figures, whose noise is as large and independent: the worst
for false alarms. What others do is done on the same data, the mean over a node's passes.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from reports.fleet import classes, verdict
from reports.fleet.fleet import SLOWER
from reports.fleet.kinds import LIBRARY, STEPS, Figure
from tests.statistics import machines, promises
from tests.statistics.promises import Promise

PARTS = 16
"""Roofs and libraries of a machine, beside its steps."""
FIGURES = (Figure(STEPS, STEPS, "cpu"), *(Figure(LIBRARY, str(n), "cpu") for n in range(PARTS)))
RATIO = 1 + SLOWER / 100
SIZES = (8, 64, 512, 4096)
NOISES = (1, 3, 10)
PASSES = 2
NOISY_NODES, NOISIER = 0.1, 9.0
"""The share of nodes whose passes scatter so much more than the others'."""
SUPERBENCH = 0.05
"""Its documentation's example: a rate lower than the baseline by more."""
MEGATRON = 0.1
"""More than a standard deviation, and by more than this, off the mean."""
SECTION = "fleet"
ALARM = "a fleet of equal nodes has one called slow"
FOUND = "a node slower by twice the smallest slowdown stated is called slow"
STATED = "the smallest slowdown stated"
THREE = "three slow nodes of 8, twice the smallest slowdown stated, are called slow"
OTHERS_ALARM = "for comparison: {} calls a node of equal ones slow"
OTHERS_FOUND = "for comparison: {} finds a node slower by twice the smallest slowdown stated"
OTHERS_THREE = "for comparison: {} finds three slow nodes of 8"


def passes(random, nodes, noise, kind="normal"):
    """Noise of every node's passes in every figure: those of the fleet, and as many again."""
    scale = np.full((nodes, 1, 1), noise)
    if kind == "various":
        scale = scale * np.exp(0.7 * random.standard_normal(scale.shape))
    if kind == "few":
        scale = scale * np.where(random.random(scale.shape) < NOISY_NODES, NOISIER, 1.0)
    known = kind if kind in ("skewed", "two-state") else "normal"
    shape = nodes, 2 * PASSES, len(FIGURES)
    found = machines.effects(random, shape, 1.0, known) * scale
    return found[:, :PASSES], found[:, PASSES:]


def judged(values):
    """What is said of every node by its figures."""
    chances = classes.chances(FIGURES, len(values))
    return verdict.judge(values, chances, RATIO)


def called(found):
    """By node and figure, whether it is called slow."""
    return (found.low > 0) & (found.shift > np.log(RATIO))


def again(values, later, found):
    """Whether nodes that were called slow are so in later passes beside a node in the middle: by node."""
    slow = called(found)
    suspects = np.flatnonzero(slow.any(axis=1))
    calm = np.flatnonzero(~slow.any(axis=1))
    confirmed = np.zeros(len(values), bool)
    if len(suspects) and len(calm):
        control = calm[[np.argmin(np.abs(found.shift[calm, 0]))]]
        pairs = (values[suspects], later[suspects], values[control], later[control])
        chance = verdict.FALSE_ALARM / 2 / slow.sum()
        shown = verdict.again(*pairs, found, chance, RATIO)
        confirmed[suspects] = (shown & slow[suspects]).any(axis=1)
    return confirmed


def alarms(random, trials, nodes, noise, kind="normal", confirm=False):
    """Share of fleets of equal nodes of which one is called slow; where asked, after suspects are measured again."""
    count = 0
    for _ in range(trials):
        values, later = passes(random, nodes, noise / 100, kind)
        found = judged(values)
        if confirm:
            count += again(values, later, found).any()
        else:
            count += called(found).any()
    return count / trials


def _planted(random, nodes, noise, slow, times):
    """A fleet in which the first nodes' steps are slower by so many times the smallest slowdown that is stated."""
    values, later = passes(random, nodes, noise / 100)
    told = np.expm1(judged(values).told[0])
    for each in (values, later):
        each[:slow, :, 0] += np.log1p(times * told)
    return values, later


def found(random, trials, nodes, noise, slow=1, times=2.0):
    """Share of slow nodes that are called so by their steps."""
    hits = [
        called(judged(_planted(random, nodes, noise, slow, times)[0]))[:slow, 0]
        for _ in range(trials)
    ]
    return np.mean(hits)


def confirmed(random, trials, nodes, noise):
    """Share of nodes, slower by twice the smallest slowdown stated, that are called slow, and when measured again."""
    hits = []
    for _ in range(trials):
        values, later = _planted(random, nodes, noise, 1, 2.0)
        hits.append(again(values, later, judged(values))[0])
    return np.mean(hits)


def stated(random, trials, nodes, noise):
    """The smallest slowdown that is stated of steps, the median over fleets."""
    told = [judged(passes(random, nodes, noise / 100)[0]).told[0] for _ in range(trials)]
    return np.expm1(np.median(told))


def share_holds(random, trials, nodes, noise, spread):
    """Share of fleets, whose nodes differ by `spread`, of which the share of near nodes lies in its interval."""
    from bench.profile.stats import Estimate
    from reports.fleet.fleet import near

    kept = 0
    for _ in range(trials):
        truth = spread / 100 * random.standard_normal(nodes)
        values, _ = passes(random, nodes, noise / 100)
        values[:, :, 0] += truth[:, None]
        ends = judged(values)
        each = [
            [Estimate(*np.exp([end[row, 0] for end in (ends.shift, ends.low, ends.high)]))]
            for row in range(nodes)
        ]
        share = near(each, 1.05)
        apart = np.abs(truth - verdict.leave_one_out(truth[:, None])[:, 0])
        kept += share.low <= np.mean(apart <= np.log(1.05)) <= share.high
    return kept / trials


def superbench(times):
    """Whether a node is defective by the example of SuperBench's documentation: by node."""
    rates = np.exp(-times)
    kept = np.ones(len(rates), bool)
    while True:
        bad = rates / rates[kept].mean() - 1 < -SUPERBENCH
        if not (bad & kept).any():
            return bad
        kept &= ~bad


def megatron(times):
    """Whether a node is slow by Megatron-LM's sniff test: by node."""
    rates = np.exp(-times)
    off = rates - rates.mean()
    return (off < -rates.std()) & (off < -MEGATRON * rates.mean())


RULES = (("SuperBench's rule", superbench), ("Megatron's rule", megatron))


def others_alarm(random, trials, rule, nodes, noise):
    """Share of fleets of equal nodes in which another's rule calls one slow by the mean of its steps."""
    hits = [
        rule(passes(random, nodes, noise / 100)[0][:, :, 0].mean(axis=1)) for _ in range(trials)
    ]
    return np.mean([one.any() for one in hits])


def others_find(random, trials, rule, nodes, noise, slow=1):
    """Share of slow nodes, as `found` plants them, that another's rule calls so."""
    hits = [
        rule(_planted(random, nodes, noise, slow, 2.0)[0][:, :, 0].mean(axis=1))[:slow]
        for _ in range(trials)
    ]
    return np.mean(hits)


def _sized(nodes):
    """Trials in full, and of the tests."""
    return (1000, 100) if nodes < 100 else (400, 10) if nodes < 1000 else (200, 2)


def _promise(name, simulate, nodes, **bar):
    trials, quick = _sized(nodes)
    if name.startswith(ALARM):  # a rare event
        trials *= 4
    if not bar:  # what others' rules do is no promise of ours
        trials, quick = trials // 4, 1
    return Promise(SECTION, name, name, simulate, trials=trials, quick=quick, **bar)


def _told(nodes, noise, more=""):
    return f"{nodes} nodes, 2 passes, {noise} % noise{more}"


def matrix(known):
    """Ours beside the rules of others, as bench/FLEET.md shows them; `known` are the published figures."""
    names = [name for name, _ in RULES]
    header = ["nodes", "noise", STATED, "called slow, though none is: ours", *names]
    yield f"| {' | '.join([*header, 'found at twice that: ours', *names])} |"
    yield f"|{' ---: |' * (len(header) + 1 + len(names))}"
    lines = [(nodes, noise, "", FOUND, OTHERS_FOUND) for nodes in SIZES for noise in NOISES]
    lines += [(8, noise, ", three slow", THREE, OTHERS_THREE) for noise in NOISES]
    for nodes, noise, more, ours, of_others in lines:
        alarm = [ALARM, *map(OTHERS_ALARM.format, names)]
        texts = [STATED, *alarm, ours, *map(of_others.format, names)]
        figures = [known[f"{text}: {_told(nodes, noise)}"]["figure"] for text in texts]
        shares = [f"{100 * figure:.1f} %" for figure in figures]
        yield f"| {nodes:,}{more} | {noise} % | {' | '.join(shares)} |"


def others(known):
    """What else is promised of fleets, as lines of a table."""
    yield "| promised | bar | simulated | trials |"
    yield "| --- | --- | ---: | ---: |"
    shown = (ALARM, FOUND, STATED, THREE, "for comparison")
    for one in PROMISES:
        if not one.name.startswith(shown):
            found_ = known[one.name]
            yield f"| {one.text} | {promises.bar(one)} | {found_['figure']:.3g} | {found_['trials']:,} |"


PROMISES = (
    *(
        _promise(
            f"{ALARM}: {_told(nodes, noise)}",
            partial(alarms, nodes=nodes, noise=noise),
            nodes,
            most=0.05,
        )
        for nodes in SIZES
        for noise in NOISES
    ),
    *(
        _promise(
            f"{FOUND}: {_told(nodes, noise)}",
            partial(found, nodes=nodes, noise=noise),
            nodes,
            least=0.95,
        )
        for nodes in SIZES
        for noise in NOISES
    ),
    *(
        _promise(
            f"a node slower by the smallest slowdown stated is called slow: {_told(nodes, noise)}",
            partial(found, nodes=nodes, noise=noise, times=1.0),
            nodes,
            least=0.7,
        )
        for nodes in (8, 512)
        for noise in NOISES
    ),
    *(
        _promise(
            f"{THREE}: {_told(8, noise)}",
            partial(found, nodes=8, noise=noise, slow=3),
            8,
            least=0.95,
        )
        for noise in NOISES
    ),
    *(
        _promise(
            f"such a node is called slow, and again when measured again: {_told(nodes, noise)}",
            partial(confirmed, nodes=nodes, noise=noise),
            nodes,
            least=0.9,
        )
        for nodes in (8, 64, 512)
        for noise in NOISES
    ),
    *(
        Promise(
            SECTION,
            f"{STATED}: {_told(nodes, noise)}",
            f"{STATED}: {_told(nodes, noise)}",
            partial(stated, nodes=nodes, noise=noise),
            most=most,
            trials=_sized(nodes)[0],
            quick=_sized(nodes)[1],
            share=False,
            within=0.05 * most,
        )
        for noise, most in ((1, 0.04), (3, 0.13), (10, 0.5))
        for nodes in SIZES
    ),
    *(
        _promise(
            f"equal nodes, one called slow{', and when measured again' * again}: {_told(nodes, 3, what)}",
            partial(alarms, nodes=nodes, noise=3, kind=kind, confirm=again),
            nodes,
            most=most,
        )
        for kind, what, alone, confirmed in (
            ("skewed", ", skewed", 1.0, 0.05),
            ("various", ", the noise of two thirds of nodes within a factor of 4", 1.0, 0.15),
            ("few", ", 9 times as large in one of ten nodes", 1.0, 0.25),
        )
        for nodes in (8, 512)
        for again, most in ((False, alone), (True, confirmed))
    ),
    *(
        _promise(
            f"the share of nodes near their class lies in its interval: {_told(64, noise)}, nodes differ by 3 %",
            partial(share_holds, nodes=64, noise=noise, spread=3),
            64,
            least=0.95,
        )
        for noise in NOISES
    ),
    *(
        _promise(
            f"{text.format(name)}: {_told(nodes, noise)}",
            partial(simulate, rule=rule, nodes=nodes, noise=noise),
            nodes,
        )
        for text, simulate in ((OTHERS_ALARM, others_alarm), (OTHERS_FOUND, others_find))
        for name, rule in RULES
        for nodes in SIZES
        for noise in NOISES
    ),
    *(
        _promise(
            f"{OTHERS_THREE.format(name)}: {_told(8, noise)}",
            partial(others_find, rule=rule, nodes=8, noise=noise, slow=3),
            8,
        )
        for name, rule in RULES
        for noise in NOISES
    ),
)
