"""What a report says, and in which order; how it looks is left to `markdown` and `html`.

Pure: a profile in, a document out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.profile.records import Profile, RunWarning
from reports.analysis import cycles, headline, warnings
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
from reports.plots import style
from reports.tables import claims, deepbench, experiments, machine, persistent, points, verdicts

CAPTIONS = {
    "roofline": (
        "Roofline",
        """Slanted lines are the bandwidth of the memory level named on them, flat ones arithmetic, and dotted
        verticals mark the ridges between the two, in FLOP/byte. A point is drawn at its fraction of the heavy line of
        the level that its weights lie in: the gap between them is what the implementation leaves unused, and the
        rates as measured are in the table. Fractions are held against the roof sampled beside each point; the pale
        band is where that roof stood. Lines are best-of-N roofs, a level’s the geometric mean over its plateau;
        points are medians with 95 % intervals, joined along the batch, hollow where their bytes are modelled and
        filled where a tool counted them.""",
    ),
    "time_roofline": (
        "Roofline in times",
        """The same steps, in times: across, what their FLOPs would take at the arithmetic roof; upwards, what their
        bytes would take at the bandwidth. The larger coordinate of a marker is the time that was measured; the grey
        dot, which has the same balance, lies at the point’s fraction of it, which the roofs beside it allow: the line
        between them is the gap. Above the diagonal bytes take longer, below it FLOPs. A dashed box ends at an
        implementation’s floor: a dot within it is work that takes less than its own call. Points are medians with no
        interval drawn; a roof that was not sampled beside them is best-of-N.""",
    ),
    "time_against_batch": (
        "Step time against batch",
        """Where a line is flat, further sequences ride free on weights that are fetched anyway; the filled
        marker is the free batch, the last that costs at most 1.25 times a single sequence. The grey line is
        the time that the drawn roofs (best-of-N) allow. A point is drawn at this time over its percentage, so that
        points of one case are held against one roof, though it moved between them. Times as measured, and a call’s
        floor, are in the tables. Points are medians with 95 % intervals.""",
    ),
    "bandwidth_against_working_set": (
        "Bandwidth against working set",
        """The read roof falls where a cache ends: bands are the levels found on the curve, dashed verticals the
        caches that the system reports. A step is held against this curve at its own working set and thread
        count, sampled anew beside it: pale bars are where the roof stood then. The curve is best-of-N. Where points are
        shown, they are at their fraction of the curve, as far as bytes make it: medians with 95 % intervals.""",
    ),
}

FEW = 3
"""Points that a warning lists by name."""

METHOD = (
    "A step is one time step of a cell: two products per gate, of input and of state, and the pointwise rest.",
    "Bytes are compulsory: every operand once, no write-allocate, padding or re-reading. FLOPs are the linear ones.",
    "An implementation is checked against a float64 reference before it is timed; a wrong answer is never timed.",
    "Streamed steps rotate through sets of weights that together exceed the caches; resident ones use a single set.",
    "Each round times a block of steps and a block of the read probe over the same memory, alternating.",
    "The roof fraction is max(bytes time, FLOP time) / step time, formed round by round; the median counts.",
    "Intervals hold the median with 95 % confidence by order statistics; no distribution is assumed.",
    "Roofs are the best of their samples, points are medians; points never influence roofs.",
    "Points are compared by time x paired roof, never by raw time: the speed of a machine drifts.",
    "Nothing is capped, excluded or fitted; every planned case appears, with its reason where it has no figure.",
)


READING = """Overhead: the call itself takes half the time or more. Bandwidth or compute: that limit and the
floor explain at least 75 % of the time; with a floor above 20 % of it, overhead is named as well.
Implementation: no limit of the machine explains the time; the factor says how much faster the machine allows.
Mixed: the interval straddles a threshold."""

FREE = """The free batch is the largest whose step costs at most 1.25 times the step of one sequence, among those
measured; the predicted ridge is the smallest batch for which the roofs let arithmetic take longer than bytes;
the last column is the last batch of an unbroken run from 1 whose bandwidth verdicts are confirmed."""

EXPERIMENTS = """An experiment compares two points that differ in one thing. The elasticity is d log t / d log of
what was changed: of t_bytes for residency and bytes, of B, or of the threads. Beside it stands what each bound
predicts, as the roofs stood at both points. It says something only where predictions lie far enough apart, and
where the whole interval lies beside one of them. A contest is the same step by a quicker implementation."""

THREADS = """What more threads add, best of all samples: one thread against all decides between bandwidth and compute
only where the two speed-ups differ by 1.3 times or more."""

CLAIMS = """What "Limitations of RNN, LSTM and GRU" states about hardware, tested on this machine. Supported needs
evidence that could have gone the other way. Up to a batch: from the smallest on, without a gap. Not testable: points
are missing, or their intervals or unconfirmed verdicts leave it open; the figures say which. Claims 2, 3, 5 and 6
take the implementation that is bandwidth-bound up to the largest batch, else the one nearest to its roof."""

SEQUENCES = """The time of a whole call, and DeepBench’s FLOPs over it: those of the recurrent matrix alone, 8BH² a step
for LSTM, 6BH² for GRU, 2BH² + BH for its vanilla cell. Its published runs left out the products of the
inputs, and its vanilla cell’s activation is ReLU. These calls compute those products, and tanh: on the same hardware
they take longer."""

ON_CHIP = """A sequence that keeps U on chip fetches it once a call. Beside its step stands the least time of one that
fetches U at every step, at the bandwidth of memory and at the roof sampled beside it, of the level that the weights lie
in: it may go past both, which is no contradiction, because it does not move these bytes. An implementation declares
this; of a library it is the least that it must read."""

ROOFS = """The roofs of all threads together, best of their samples, and what a thread has of them in a cycle, by the
median clock beside the points."""

LINEAR = """The linear part of a step, its products with the weights, was measured alone; its share of the whole
step’s time is formed from time x paired roof. A share above 100 % means that the part alone runs slower than
within the step."""


def document(
    profile: Profile,
    pictures: Sequence[str],
    command: str,
    methodology: str | None,
    undrawn: str | None = None,
) -> Document:
    """The report on a profile, its pictures among `pictures`, made by `command`; `methodology` is a link or None.

    `undrawn` is why no picture could be drawn.
    """
    sections = (
        _warnings(profile),
        _pictures(profile, pictures, undrawn),
        _verdicts(profile),
        _linear(profile),
        _sequences(profile),
        _on_chip(profile),
        _claims(profile),
        Section(
            "points",
            "Every point",
            (
                Paragraph(
                    f"All planned points, with their reason where they have no figure. {points.legend(profile)}"
                ),
                Listing("Points", points.points(profile), searched=True),
                *((Paragraph(energy),) if (energy := points.energy(profile)) else ()),
                Paragraph("The same in SI units, with every figure behind it: points.csv."),
            ),
        ),
        _machine(profile),
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
    counts = {
        status: sum(p.status == status for p in profile.points)
        for status in ("ok", "failed", "skipped")
    }
    subtitle = (
        f"Suite {profile.suite}, {profile.created}, {profile.origin}. {counts['ok']} points good, "
        f"{counts['failed']} failed, {counts['skipped']} skipped."
    )
    return Document(
        f"rnn-roofline on {headline.machine(profile)}",
        headline.headline(profile),
        subtitle,
        tuple(section for section in sections if section.blocks),
    )


def showing(document: Document, pictures: Sequence[str]) -> Document:
    """The document with these pictures alone, and without their section where there are none."""

    def kept(section: Section) -> Section:
        blocks = (b for b in section.blocks if not isinstance(b, Picture) or b.name in pictures)
        return replace(section, blocks=tuple(blocks))

    sections = (kept(section) for section in document.sections)
    return replace(document, sections=tuple(section for section in sections if section.blocks))


def _warnings(profile: Profile) -> Section:
    groups: dict[tuple[str, str], list[RunWarning]] = {}
    for warning in warnings.of(profile):
        groups.setdefault((warning.code, warning.advice), []).append(warning)
    blocks: list[Block] = [
        Warnings(code, advice, tuple((_about(warning), warning.message) for warning in group))
        for (code, advice), group in groups.items()
    ]
    return Section("warnings", "Warnings", tuple(blocks) or (Paragraph("None."),))


def _about(warning: RunWarning) -> str:
    """What a warning is about; of many points the first few, for the table of points names them all."""
    keys = warning.about.split(warnings.BETWEEN)
    if len(keys) <= FEW:
        return warning.about
    return f"{warnings.BETWEEN.join(keys[:FEW])} and {len(keys) - FEW} more, named at each point"


def _pictures(profile: Profile, shown: Sequence[str], undrawn: str | None) -> Section:
    several = len(style.devices(profile)) > 1
    blocks: list[Block] = []
    for name, (picture, device) in style.names(profile).items():
        title, caption = CAPTIONS[picture]
        if name in shown:
            blocks.append(Picture(name, f"{title}, {device}" if several else title, caption))
    if undrawn:
        mend = "install matplotlib and build the report again from the profile"
        blocks.append(Paragraph(f"No picture was drawn: {undrawn}: {mend}."))
    return Section("pictures", "Pictures", tuple(blocks))


def _verdicts(profile: Profile) -> Section:
    by_series = verdicts.by_series(profile)
    if not by_series.rows:
        return Section("verdicts", "Verdicts", ())
    return Section(
        "verdicts",
        "What bounds each series",
        (
            Paragraph(f"{READING} {points.legend(profile)}"),
            Listing("Series", by_series),
            Paragraph(FREE),
            Listing("Evidence, point by point", verdicts.evidence(profile), folded=True),
            *_experiments(profile),
        ),
    )


def _sequences(profile: Profile) -> Section:
    found = deepbench.table(profile)
    blocks = (Paragraph(SEQUENCES), Listing("Sequences", found)) if found.rows else ()
    return Section("sequences", "Sequences, as DeepBench counts them", blocks)


def _on_chip(profile: Profile) -> Section:
    found = persistent.table(profile)
    blocks = (Paragraph(ON_CHIP), Listing("Weights on chip", found)) if found.rows else ()
    return Section("on-chip", "Sequences with weights on chip", blocks)


def _experiments(profile: Profile) -> tuple[Block, ...]:
    """What confirms verdicts: the experiments, and what threads add to the roofs."""
    found, threads = experiments.outcomes(profile), experiments.threads(profile)
    blocks: list[Block] = []
    if found.rows:
        title = "Experiments between points, with elasticities"
        blocks += [Paragraph(EXPERIMENTS), Listing(title, found, folded=True)]
    if threads.rows:
        blocks += [Paragraph(THREADS), Listing("Roofs against threads", threads)]
    return tuple(blocks)


def _claims(profile: Profile) -> Section:
    found = claims.table(profile)
    blocks = (
        Paragraph(CLAIMS),
        Listing("Claims", found),
        Paragraph("What each rests on, or what is missing:"),
        Listing("Figures of the claims", claims.figures(profile)),
    )
    return Section("claims", "Claims about the hardware", blocks if found.rows else ())


def _machine(profile: Profile) -> Section:
    roofs = cycles.table(profile)
    blocks: tuple[Block, ...] = (Listing("Machine", machine.table(profile)),)
    if roofs.rows:
        blocks = (*blocks, Paragraph(ROOFS), Listing("Roofs", roofs))
    return Section("machine", "The machine", blocks)


def _linear(profile: Profile) -> Section:
    found = verdicts.linear_shares(profile)
    blocks = (Paragraph(LINEAR), Listing("Linear layers", found)) if found.rows else ()
    return Section("linear", "What the linear layers hold", blocks)
