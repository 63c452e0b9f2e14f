"""How a run starts, whichever command asks for it: from its suite, seed and folder, or from where another one ended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.device import threads
from bench.machine import gpus
from bench.profile import suite as suites
from bench.profile.errors import OneLine
from bench.profile.journal import from_journal
from bench.profile.records import Profile
from bench.profile.suite import Planned, Suite
from bench.session import lock
from bench.session.folder import SUITE_FILE, claim, new_folder
from bench.session.run import Run
from bench.timing import interrupts
from kernels.case import ALL, DEVICES

OWN_CALL_SECONDS = 60.0
"""Longest call of a sequence that is asked for by name: who asks may wait, or interrupt."""

LONGEST_WAIT_SECONDS = 1_000_000
"""For another measurement to end."""


class BadUsage(OneLine):
    """An option that means nothing here; the message is one line with the mend."""


@dataclass(frozen=True)
class Start:
    """What a run is made of; `earlier` is what the folder's journal holds when resuming.

    wait_seconds  that it waits for another measurement on this machine to end
    """

    suite: Suite
    seed: int
    folder: Path
    earlier: Profile | None = None
    wait_seconds: float = 0.0

    def run(self, tell: Callable[[str], None] = lambda _: None) -> Run:
        """The run, begun: its roofs are measured. Whom it waits for is told.

        Raises BadOutput, lock.Busy, Unavailable.
        """
        machine = lock.hold(self.folder, self.wait_seconds, tell)
        # read again: whom this run waited for may have been the same run
        earlier = self.earlier and from_journal(self.folder)
        run = Run(self.suite, self.seed, self.folder, earlier, lambda _: machine)
        try:
            run.begin()
        except BaseException:
            run.close()
            raise
        return run


def of_suite(
    suite: str | None = None,
    implementation: Sequence[str] | None = None,
    device: str | None = None,
    seed: int | None = None,
    out: str | None = None,
    resume: str | None = None,
    wait: float | None = None,
) -> Start:
    """A run of a suite, as the options of the same names ask for it.

    Its folder is there then. Raises BadUsage, BadFile, BadOutput.
    """
    own = {
        "suite": suite,
        "implementation": implementation,
        "device": device,
        "seed": seed,
        "out": out,
    }
    if wait is not None and not 0 <= wait <= LONGEST_WAIT_SECONDS:
        raise BadUsage(f"--wait {wait:g}: give seconds from 0 to {LONGEST_WAIT_SECONDS}")
    earlier = None
    if resume is not None:
        earlier = from_journal(Path(resume))
        for option in (option for option, value in own.items() if value is not None):
            raise BadUsage(
                f"--{option} is given with --resume: a resumed run keeps its own suite, device, seed and folder"
            )
        suite, seed = str(Path(resume) / SUITE_FILE), earlier.seed
        device = earlier.settings.get("device", "cpu")
    device = usable(device)
    default = suites.DEFAULT_CUDA if device == "cuda" else suites.DEFAULT
    # a file is where it is, whatever folder the run is resumed from
    instead = [
        str(Path(one).resolve()) if one.endswith(".py") else one for one in implementation or ()
    ]
    plan = suites.load(suite or default, device, threads.available(), seed or 0, instead)
    if earlier:
        plan = replace(plan, name=earlier.suite)
    given_folder = resume or out
    folder = Path(given_folder) if given_folder else new_folder(plan.name)
    if not resume:
        claim(folder)
    return Start(plan, seed or 0, folder, earlier, wait or 0.0)


def usable(device: str | None) -> str:
    """The device, or all that there are if none is asked for. Raises BadUsage for one that cannot be measured here."""
    if device not in (None, *DEVICES, ALL):
        raise BadUsage(f"--device {device!r} is unknown: use cpu, cuda or all")
    reason = gpus.no_cuda_reason()
    if reason and device == "cuda":
        raise BadUsage(f"--device cuda: {reason}")
    return ("cpu" if reason else ALL) if device in (None, ALL) else device


def of_points(points: Sequence[Planned], out: Path | None, curve_seconds: float = 1.0) -> Start:
    """A run of some points of one's own, or of roofs alone, in `out` or in a new folder."""
    settings = {
        "precision": 0.02,
        "budget_seconds": 2.0,
        "curve_seconds": curve_seconds,
        "longest_call_seconds": OWN_CALL_SECONDS,
    }
    return Start(Suite("step", "", settings, tuple(points)), 0, out or new_folder("step"))


@contextmanager
def roofs_alone(curve_seconds: float) -> Iterator[Run]:
    """A run of no points, begun, in a folder that goes when it is done."""
    with interrupts.listening(), TemporaryDirectory() as folder:
        run = of_points((), Path(folder) / "run", curve_seconds).run()
        try:
            yield run
        finally:
            run.close()
