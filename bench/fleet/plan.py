"""What a fleet is to measure and what came of it so far: `fleet.json` in its folder, whole after every change."""

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.profile import reader
from bench.profile.errors import BadFile, OneLine, printable

FILE, SUITE_FILE, LOG_FILE, PROFILE_FILE = "fleet.json", "suite.toml", "log.txt", "profile.json"
"""The plan, the suite where it is a file, what Ray and failed nodes said; and a pass's profile."""
MEASURED, BUSY, DEAD, HUNG, RUBBISH, FAILED, WAITING = (
    *("measured", "busy", "dead", "hung", "rubbish", "failed", "waiting"),
)
"""States of a pass. A resumed fleet measures all that are not measured."""
LARGEST_FILE_BYTES = 64 << 20
LONGEST_REASON, LONGEST_NAME = 300, 80


class BadFleet(OneLine):
    """What cannot be planned, begun, resumed or gone on with; the message is one line with the mend."""


@dataclass(frozen=True)
class Pass:
    """What came of one pass of a node; `seconds` that it took there."""

    state: str = WAITING
    reason: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Node:
    """A node as it was when it was found, and its passes by their names, in order."""

    address: str
    labels: dict[str, str]
    passes: dict[str, Pass]


@dataclass(frozen=True)
class Fleet:
    """A fleet and all that came of it.

    id       of its folders on the nodes, which nobody guesses
    suite    as it was given; where the fleet's folder holds a suite.toml, that one
    options  what else it was given, as it is given again where it is resumed
    """

    suite: str
    passes: int
    limit_seconds: float
    options: tuple[str, ...] = ()
    device: str | None = None
    nodes: dict[str, Node] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(8))


class Turn(NamedTuple):
    """One node's turn in one pass."""

    node: str
    name: str


Round = tuple[Turn, ...]
"""Turns of one pass, in order; the next round begins when all of it are over."""


class Book:
    """A fleet in its folder."""

    def __init__(self, folder: Path, fleet: Fleet) -> None:
        """Keep a fleet there from now on; nothing is written yet."""
        self.folder, self.fleet = folder, fleet

    @classmethod
    def opened(cls, folder: Path) -> "Book":
        """The fleet that a folder holds. Raises BadFile."""
        path = folder / FILE
        try:
            given = reader.text(path, LARGEST_FILE_BYTES)
        except BadFile as error:
            raise BadFile(f"{error}: name a folder that bench fleet made") from error
        try:
            fleet = msgspec.json.decode(given, type=Fleet)
        except (ValueError, RecursionError) as error:
            raise BadFile(f"{path}: {error}: begin anew in another folder") from error
        for name in (*fleet.nodes, *(one for node in fleet.nodes.values() for one in node.passes)):
            if name != safe(name):
                raise BadFile(f"{path}: {name[:60]!r} names no folder: begin anew in another one")
        return cls(folder, fleet)

    def keep(self) -> None:
        """Write the plan, whole or not at all. Raises BadFleet."""
        draft = self.folder / f".{FILE}.{os.getpid()}"
        try:
            draft.write_bytes(msgspec.json.format(msgspec.json.encode(self.fleet), indent=1))
            draft.replace(self.folder / FILE)
        except OSError as error:
            raise unwritten(self.folder, error) from error

    def note(self, turn: Turn, found: Pass) -> None:
        """What came of a turn, on the disk. Raises BadFleet."""
        if found.reason is not None:
            found = replace(found, reason=printable(found.reason)[:LONGEST_REASON])
        node = self.fleet.nodes[turn.node]
        node = replace(node, passes={**node.passes, turn.name: found})
        self.fleet = replace(self.fleet, nodes={**self.fleet.nodes, turn.node: node})
        self.keep()

    def place(self, turn: Turn) -> Path:
        """The folder of a pass."""
        return self.folder / turn.node / turn.name

    def found(self, turn: Turn) -> Pass:
        """What came of a turn so far."""
        return self.fleet.nodes[turn.node].passes.get(turn.name, Pass())

    def left(self, rounds: Iterable[Round]) -> list[Round]:
        """The turns of these rounds that are not measured."""
        some = (tuple(t for t in one if self.found(t).state != MEASURED) for one in rounds)
        return [one for one in some if one]

    def every(self) -> list[tuple[Turn, Pass]]:
        """Every turn with what came of it."""
        return [
            (Turn(name, one), found)
            for name, node in self.fleet.nodes.items()
            for one, found in node.passes.items()
        ]


def rounds(nodes: Sequence[str], names: Sequence[str]) -> list[Round]:
    """A round for each pass, each begun by another node: what drifts favours none, and node and run are told apart."""
    return [
        tuple(Turn(node, name) for node in (*nodes[shift:], *nodes[:shift]))
        for shift, name in ((k % max(len(nodes), 1), name) for k, name in enumerate(names))
    ]


def named(hosts: Iterable[tuple[str, str]]) -> list[str]:
    """A folder's name for each host and its Ray id: the host's, with the beginning of the id where it is shared."""
    pairs = [(safe(host)[: LONGEST_NAME - 7], identity) for host, identity in hosts]
    every = [host for host, _ in pairs]
    return [f"{host}-{identity[:6]}" if every.count(host) > 1 else host for host, identity in pairs]


def safe(name: str) -> str:
    """A name that is a folder's, whatever a stranger calls his node."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    return kept.lstrip(".")[:LONGEST_NAME] or "_"


def planned(fleet: Fleet, there: Mapping[str, tuple[str, dict[str, str]]]) -> Fleet:
    """The fleet of these nodes, each with an address and labels, and every pass of theirs to be measured."""
    passes = {str(k + 1): Pass() for k in range(fleet.passes)}
    return replace(
        fleet, nodes={name: Node(*of, passes=dict(passes)) for name, of in there.items()}
    )


def labels(given: Iterable[str]) -> dict[str, str]:
    """Labels as KEY=VALUE. Raises BadFleet."""
    found: dict[str, str] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not key or not equals or not value:
            raise BadFleet(f"--label {one}: give KEY=VALUE, as ray start --labels takes it")
        found[key] = value
    return found


def unwritten(folder: Path, error: OSError) -> BadFleet:
    """The error of a folder that takes nothing more."""
    return BadFleet(f"{folder}: cannot be written: {error.strerror}: choose another --out")
