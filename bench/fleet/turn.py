"""One node's turn, from asking for its worker to the profile in its place: what is asked, and what came of it.

A generator that yields what it asks and is sent the answers, so that the turns of many nodes go on at once in one loop.
"""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from bench.fleet import arrival, plan, said
from bench.fleet.arrival import Rubbish
from bench.fleet.cluster import Hand, Lost, Unreachable
from bench.fleet.plan import BUSY, DEAD, FAILED, HUNG, MEASURED, RUBBISH, Pass
from bench.fleet.worker import GRACE_SECONDS, PART_BYTES
from bench.session.lock import WAITING
from bench.timing import interrupts

FOLLOW_SECONDS = 2.0
"""Between answers of a worker on how far it is."""


class Ask(NamedTuple):
    """What is waited for: an answer within so many seconds, else `late`; or no answer, and only the time."""

    ref: Any
    seconds: float
    late: Lost | None = None


Turning = Generator[Ask, Any, Pass]


@dataclass(frozen=True)
class Job:
    """What a worker is to do.

    name           of its folder on the node
    begin, resume  the command of a new run, and of one that goes on
    suite          a suite's file, where it is none of ours
    place          where the profile goes
    """

    name: str
    checkout: str
    begin: tuple[str, ...]
    resume: tuple[str, ...]
    suite: bytes | None
    place: Path
    limit_seconds: float
    busy_seconds: float
    reply_seconds: float


class Line:
    """What there is to tell of a turn: its last line of progress, and whether the node has granted a worker."""

    text = "waiting for a worker"
    granted = False


def measuring(hand: Hand, job: Job, line: Line) -> Turning:
    """What came of the turn. Raises Lost where the worker is; BadFleet where the profile cannot be written."""
    silent = Lost(HUNG, f"its worker has not answered for {job.reply_seconds:g} s")

    def ask(method: str, *given: Any) -> Ask:
        return Ask(hand.ask(method, *given), job.reply_seconds, silent)

    taken = Lost(
        BUSY, f"no worker within {job.busy_seconds:g} s: other work holds its CPUs or GPUs"
    )
    hello = yield Ask(hand.ask("hello", job.checkout), job.busy_seconds, taken)
    line.granted, line.text = True, "starting"
    if not hello["checkout"]:
        return Pass(FAILED, f"there is no checkout of this suite in {job.checkout} on it")
    begun = monotonic()
    nicer = yield ask("start", job.name, job.checkout, list(job.begin), list(job.resume), job.suite)
    last = yield from _followed(hand, job, line, begun + job.limit_seconds)
    seconds = round(monotonic() - begun, 1)
    if last["code"] is None:
        yield Ask(hand.ask("stop"), 2 * GRACE_SECONDS, silent)
        _keep_log(job, last["said"])
        if line.text.startswith(WAITING):
            return Pass(BUSY, f"another measurement did not end: {line.text}", seconds)
        return Pass(HUNG, f"not done within {job.limit_seconds:g} s: {line.text}", seconds)
    ended = f"{interrupts.ended(last['code'])}: {said.why(last['said'])}"
    packed = yield ask("pack")
    if not packed["parts"]:
        _keep_log(job, last["said"])
        return Pass(FAILED, ended, seconds)
    if packed["parts"] > arrival.MOST_PARTS:
        return Pass(
            RUBBISH, f"a profile in {packed['parts']} parts: the most are {arrival.MOST_PARTS}"
        )
    line.text = "handing over"
    parts = []
    for number in range(packed["parts"]):
        part = yield ask("part", number)
        parts.append(bytes(part)[:PART_BYTES])
    try:
        complete = arrival.kept(
            arrival.unpacked(parts, packed["digest"]), job.place / plan.PROFILE_FILE
        )
    except Rubbish as error:
        _keep_log(job, last["said"])
        yield ask("forget")
        return Pass(RUBBISH, str(error), seconds)
    except OSError as error:
        raise plan.unwritten(job.place, error) from error
    if not complete:
        _keep_log(job, last["said"])
        yield ask("again")
        return Pass(FAILED, f"its profile is not complete: {ended}", seconds)
    with suppress(Lost, Unreachable):  # the profile is here
        yield ask("forget")
    if last["code"]:
        return Pass(MEASURED, ended, seconds)
    why = f"measured at {nicer} nicer than Ray runs: set RAY_worker_niceness=0 where it is started"
    return Pass(MEASURED, why if nicer else None, seconds)


def _followed(
    hand: Hand, job: Job, line: Line, deadline: float
) -> Generator[Ask, Any, dict[str, Any]]:
    """The last that its worker says of it: with its exit code, or without one where the time is over."""
    heard = monotonic()
    while True:
        late = Lost(HUNG, f"its worker has not answered for {job.reply_seconds:g} s")
        try:
            wait = max(0.0, min(FOLLOW_SECONDS, deadline - monotonic()))
            told: dict[str, Any] = yield Ask(hand.ask("follow", wait), job.reply_seconds, late)
        except Unreachable as error:
            if monotonic() - heard > job.reply_seconds:
                raise Lost(DEAD, f"it cannot be reached: {error}") from error
            yield Ask(None, 1.0)
            continue
        heard = monotonic()
        line.text = (said.progress(told["said"]) or [line.text])[-1]
        if told["code"] is not None or heard >= deadline:
            return told


def _keep_log(job: Job, words: str) -> None:
    """What the measurement of a node said last, beside where its profile would be."""
    try:
        job.place.mkdir(parents=True, exist_ok=True)
        (job.place / plan.LOG_FILE).write_text(words, encoding="utf-8")
    except OSError as error:
        raise plan.unwritten(job.place, error) from error
