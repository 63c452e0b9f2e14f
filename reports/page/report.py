"""What a report says, and in which order; how it looks is left to `markdown` and `html`. Pure."""

from collections.abc import Mapping

from bench.profile.records import RunWarning
from reports.analysis import warnings, wording
from reports.analysis.analysis import Analysis
from reports.page.document import (
    Block,
    Code,
    Document,
    Items,
    Link,
    Listing,
    Paragraph,
    Picture,
    Section,
    Warnings,
)
from reports.tables import claims, experiments, machine, points, sequences, verdicts
from reports.tables.columns import Table

CAPTIONS = {
    "roofline": (
        "Roofline",
        """Slanted lines are the bandwidth of the memory level named on them, flat ones arithmetic, and dotted
        verticals mark the ridges between the two, in FLOP/byte. A point is drawn at its fraction of the heavy line of
        the level that its weights lie in: the gap between them is what the implementation leaves unused, and the
        rates as measured are in the table. Fractions are held against the roof sampled beside each point; the pale
        band is where that roof stood. Lines are best-of-N roofs, a level’s the geometric mean over its plateau;
        points are geometric means of their visits’ medians with 95 % intervals, joined along the batch, hollow where
        their bytes are modelled and filled where a tool counted them.""",
    ),
    "time_roofline": (
        "Roofline in times",
        """The same steps, in times: across, what their FLOPs would take at the arithmetic roof; upwards, what their
        bytes would take at the bandwidth. The larger coordinate of a marker is the time that was measured; the grey
        dot, which has the same balance, lies at the point’s fraction of it, which the roofs beside it allow: the line
        between them is the gap. Above the diagonal bytes take longer, below it FLOPs. A dashed box ends at an
        implementation’s floor: a dot within it is work that takes less than its own call. Points are
        geometric means of visits’ medians with no interval drawn; a roof that was not sampled beside them is
        best-of-N.""",
    ),
    "time_against_batch": (
        "Step time against batch",
        """Where a line is flat, further sequences cost nothing, for the weights are fetched anyway; the filled
        marker is the free batch, the last that costs at most 1.25 times a single sequence. The grey line is
        the time that the drawn roofs (best-of-N) allow. A point is drawn at this time over its percentage, so that
        points of one case are held against one roof, though it moved between them. Times as measured, and a call’s
        floor, are in the tables. Points are geometric means of visits’ medians with 95 % intervals.""",
    ),
    "bandwidth_against_working_set": (
        "Bandwidth against working set",
        """The read roof falls where a cache ends: bands are the levels found on the curve, dashed verticals the
        caches that the system reports. A step is held against this curve at its own working set and thread
        count, sampled anew beside it: pale bars are where the roof stood then. The curve is best-of-N. Where points are
        shown, they are at their fraction of the curve, as far as bytes make it: geometric means of visits’ medians with
        95 % intervals.""",
    ),
}

FEW = 3
"""Points that a warning lists by name."""

METHOD = (
    "A step is one time step of a cell: two products per gate, of input and of state, and the pointwise rest.",
    "Bytes are compulsory: every operand once, no write-allocate, padding or re-reading. FLOPs are the linear ones.",
    "An implementation is checked against a float64 reference before it is timed; a wrong answer is never timed.",
    "Streamed steps rotate through weights several times as large as the caches; resident ones use a single set.",
    "Each round times a block of steps and a block of the read probe over the same memory, alternating.",
    "The roof fraction is the larger of bytes time and FLOP time over step time, formed round by round.",
    "A point is visited several times over the run; 95 % intervals are Student’s, over the visits’ medians.",
    "Roofs are the best of their samples, points means of their visits’ medians; points never influence roofs.",
    "Points are compared by time x paired roof, never by raw time: the speed of a machine drifts.",
    "Nothing is capped, excluded or fitted; every planned case appears, with its reason where it has no figure.",
)


READING = {
    "overhead": """Overhead: the call itself takes half the time or more, or, beside another bound, a fifth. Make fewer
    and larger calls: several steps a call, a compiled step, on a GPU a graph.""",
    "bandwidth": """Bandwidth: fetching bytes from the level named, with the floor, explains at least 75 % of the time.
    Move fewer bytes a sequence: bfloat16 or int8 weights, or a batch up to the free batch.""",
    "compute": """Compute: multiplying, with the floor, explains at least 75 % of the time. Take a dtype with a higher
    arithmetic roof, or more cores; a larger batch gains nothing more.""",
    "implementation": """Implementation: no limit of the machine explains the time; the factor is time over limit and
    floor together. Take the implementation that is named as faster, or mend the code.""",
    "latency": """Latency: one step waits for the next, with the weights on chip. Run more sequences side by side.""",
    "mixed": """Mixed: the interval straddles a threshold. Measure longer, on a quieter machine.""",
    "impossible": """Impossible: less time than the roof allows, so the roof or the bytes are wrong. Run python -m bench
    verify, and trust no figure of that series.""",
    "unknown": """Unknown: a roof is missing. Measure the whole suite in one run.""",
}
"""What each verdict says, and what to do about it."""

FREE = """The free batch is the largest whose step costs at most 1.25 times the step of one sequence, among those
measured; a range where intervals leave it open, unclear where it may be any. The predicted ridge is the
smallest batch for which the roofs let arithmetic take longer than bytes;
the last column is the last batch of an unbroken run from 1 whose bandwidth verdicts are confirmed."""

EXPERIMENTS = """An experiment compares two points that differ in one thing. The elasticity is d log t / d log of
what was changed: of t_bytes for residency and bytes, of B, or of the threads. Beside it stands what each bound
predicts, as the roofs stood at both points. It says something only where predictions lie far enough apart, and
where the whole interval lies beside one of them. Roof drift compares the visits of one point. A peer comparison is
the same step by a quicker implementation."""

THREADS = """What more threads add, best of all samples: one thread against all decides between bandwidth and compute
only where the two speed-ups differ by 1.3 times or more."""

CLAIMS = """What "Limitations of RNN, LSTM and GRU" states about hardware, tested on this machine. Supported needs
evidence that could have gone the other way. Up to a batch: from the smallest on, without a gap. Undecided: intervals or
unconfirmed verdicts leave it open. Not testable: points are missing. Claims 2, 3, 5 and 6
take the implementation that is bandwidth-bound up to the largest batch, else the one nearest to its roof."""

SEQUENCES = """The time of a whole call, and DeepBench’s FLOPs over it: those of the recurrent matrix alone, 8BH² a step
for LSTM, 6BH² for GRU, 2BH² + BH for its vanilla cell. Its published runs left out the products of the
inputs, and its vanilla cell’s activation is ReLU. These calls compute those products, and tanh: on the same hardware
they take longer."""

ON_CHIP = """A sequence that keeps U on chip fetches it once a call, or has each core read its part from its own cache.
Beside its step stands the least time of one that fetches U at every step, at the bandwidth of memory and at the roof
sampled beside it, of the level that the weights lie in; of cores’ own caches, at that of the level behind. It may go
past both, which is no contradiction, because it does not fetch them from there. An implementation declares this; of
a library it is the least that it must read."""

ROOFS = """The roofs of all threads together, best of their samples, and what a thread has of them in a cycle, by the
median clock beside the points."""

LINEAR = """The linear part of a step, its products with the weights, was measured alone; its share of the whole
step’s time is formed from time x paired roof. A share above 100 % means that the part alone runs slower than
within the step."""


def document(
    analysis: Analysis,
    pictures: Mapping[str, tuple[str, str]],
    command: str,
    methodology: str | None,
    undrawn: str | None = None,
) -> Document:
    """The report on a profile, made by `command`; `methodology` is a link or None.

    `pictures` are (picture, device) by the names of their files; `undrawn` is why none could be drawn.
    """
    profile = analysis.profile
    legend = wording.legend(profile.points)
    energy, streamed = wording.energy(profile), wording.streaming(profile)
    sections = (
        Section("warnings", "Warnings", _warnings(analysis)),
        Section("pictures", "Pictures", _pictures(pictures, undrawn)),
        _verdicts(analysis, legend),
        _section("linear", "What the linear layers hold", LINEAR, verdicts.linear_shares(analysis)),
        _section(
            "sequences",
            "Sequences, as DeepBench counts them",
            SEQUENCES,
            sequences.deepbench(analysis),
        ),
        _section(
            "on-chip", "Sequences with weights on chip", ON_CHIP, sequences.persistent(analysis)
        ),
        _section(
            "claims",
            "Claims about the hardware",
            CLAIMS,
            claims.verdicts(analysis.claims),
            Paragraph("What each rests on, or what is missing:"),
            Listing("Figures of the claims", claims.figures(analysis.claims)),
        ),
        Section(
            "points",
            "Every point",
            (
                Paragraph(
                    f"All planned points, with their reason where they have no figure. {legend}"
                ),
                Listing("Points", points.points(analysis), searched=True),
                *(Paragraph(told) for told in (streamed, energy) if told),
                Paragraph("The same in SI units, with every figure behind it: points.csv."),
            ),
        ),
        Section(
            "machine",
            "The machine",
            (
                Listing("Machine", machine.facts(analysis)),
                *_section("roofs", "Roofs", ROOFS, machine.roofs(analysis)).blocks,
            ),
        ),
        Section(
            "method",
            f"The method, version {profile.method}",
            (
                Items(METHOD, numbered=True),
                Link("In full, with every formula and threshold:", "METHODOLOGY.md", methodology),
            ),
        ),
        Section("command", "Made by", (Code(command),)),
    )
    good, failed, skipped = (
        sum(point.status == status for point in profile.points)
        for status in ("ok", "failed", "skipped")
    )
    return Document(
        f"rnn-roofline on {wording.machine(profile)}",
        analysis.headline,
        f"Suite {profile.suite}, {profile.created}, {profile.origin}. {good} points good, {failed} failed, "
        f"{skipped} skipped.",
        tuple(section for section in sections if section.blocks),
    )


def _section(name: str, title: str, text: str, table: Table, *more: Block) -> Section:
    """A table with what explains it; without a row nothing."""
    blocks = (Paragraph(text), Listing(title, table), *more)
    return Section(name, title, blocks if table.rows else ())


def _warnings(analysis: Analysis) -> tuple[Block, ...]:
    """The worst first; those of one code with the same advice as one."""
    groups: dict[tuple[str, str, str], list[RunWarning]] = {}
    for warning in analysis.warnings:
        place = str(warning.severity), warning.code, warning.advice
        groups.setdefault(place, []).append(warning)
    blocks = tuple(
        Warnings(*place, tuple((_about(warning), warning.message) for warning in group))
        for place, group in groups.items()
    )
    return blocks or (Paragraph("None."),)


def _about(warning: RunWarning) -> str:
    """What a warning is about; of many points the first few, for the table of points names them all."""
    keys = warning.about.split(warnings.BETWEEN)
    if len(keys) <= FEW:
        return warning.about
    return f"{warnings.BETWEEN.join(keys[:FEW])} and {len(keys) - FEW} more, named at each point"


def _pictures(pictures: Mapping[str, tuple[str, str]], undrawn: str | None) -> tuple[Block, ...]:
    several = len({device for _, device in pictures.values()}) > 1
    blocks: list[Block] = []
    for name, (picture, device) in pictures.items():
        title, caption = CAPTIONS[picture]
        blocks.append(Picture(name, f"{title}, {device}" if several else title, caption))
    if undrawn:
        mend = "install matplotlib and build the report again from the profile"
        blocks.append(Paragraph(f"No picture was drawn: {undrawn}: {mend}."))
    return tuple(blocks)


def _verdicts(analysis: Analysis, legend: str) -> Section:
    """What bounds each series, with the evidence: point by point, between points, and what threads add to the roofs."""
    outcomes, threads = experiments.outcomes(analysis), experiments.threads(analysis)
    by_series = verdicts.by_series(analysis)
    between = Listing("Experiments between points, with elasticities", outcomes, folded=True)
    named = {word for _, found in analysis.held.values() for word in found.name.split(" + ")}
    blocks = (
        Paragraph(legend),
        Items(tuple(text for name, text in READING.items() if name in named)),
        Listing("Series", by_series),
        Paragraph(FREE),
        Listing("Evidence, point by point", verdicts.evidence(analysis), folded=True),
        *((Paragraph(EXPERIMENTS), between) if outcomes.rows else ()),
        *_section("threads", "Roofs against threads", THREADS, threads).blocks,
    )
    return Section("verdicts", "What bounds each series", blocks if by_series.rows else ())
