"""What machine code of a GPU tells before it ever ran: bytes a thread loads before it waits, in each of its loops.

Instructions are issued in order, and a load waits for nothing; the thread stops at the first instruction that reads
what a load has not brought yet. So the bytes of all loads issued before one of them is read are in flight together.
Copies to shared memory are counted in groups, and a thread says how many of these may be on their way when it goes on.
Read off `cuobjdump -sass`, of which each instruction is a line `/*0390*/ LDG.E.128 R8, desc[UR16][R12.64+0x10] ;`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P[0-9T]\s+)?(\S[^;]*?)\s*;")
REGISTER = re.compile(r"\bR(\d+)\b")
BYTES = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16}
REGISTERS = 64 << 10
"""Of a processor, from 7.0 to 10.0."""
THREADS = 2048
"""The same."""
SHARED = 228 << 10
"""Bytes of shared memory of a processor from 9.0 on; the system takes 1 KiB of each program's."""


class Loop(NamedTuple):
    """Of a thread's loop: its instructions, its loads from global memory, and the most bytes of them in flight."""

    instructions: int
    loads: int
    in_flight: int
    names: frozenset[str]


def instructions(sass):
    """(address, name, arguments) of each instruction of a kernel."""
    found = [(int(at, 16), *f"{text} ".split(" ", 1)) for at, text in INSTRUCTION.findall(sass)]
    return [(at, name, rest.strip()) for at, name, rest in found]


def loops(sass):
    """Every loop that loads from global memory, the innermost first."""
    code = instructions(sass)
    ends = [
        (int(target[1], 16), at)
        for at, name, rest in code
        if name.split(".")[0] == "BRA" and (target := re.search(r"0x([0-9a-f]+)", rest))
    ]
    bodies = [[one for one in code if start <= one[0] <= end] for start, end in ends if start < end]
    found = [
        Loop(
            len(body),
            sum(_loads(one) or _copied(one) > 0 for one in body),
            max(in_flight(body), copied(body)),
            frozenset(name.split(".")[0] for _, name, _ in body),
        )
        for body in bodies
    ]
    return sorted(one for one in found if one.loads)


def in_flight(body):
    """The most bytes of registers that wait for loads at once, of instructions that are repeated."""
    waiting, most = [], 0
    for one in body * 2:  # the second time with what the first left in flight
        _, name, arguments = one
        used = {int(number) for number in REGISTER.findall(arguments)}
        loaded = set()
        if _loads(one):
            size = next((BYTES[word] for word in name.split(".")[2:] if word in BYTES), 4)
            first = int(REGISTER.search(arguments)[1])
            loaded = set(range(first, first + -(-size // 4)))
        # a register that is loaded anew must have come, too
        waiting = [one for one in waiting if not one & (used | loaded)]
        if loaded:
            waiting.append(loaded)
            most = max(most, 4 * sum(map(len, waiting)))
    return most


def copied(body):
    """The bytes of copies to shared memory that are on their way when a thread goes on, of those of 16 bytes."""
    left = [int(rest.split(",")[1], 16) for _, name, rest in body if name.startswith("DEPBAR.LE")]
    groups = sum(name == "LDGDEPBAR" for _, name, _ in body)
    return sum(map(_copied, body)) * min(left) // groups if left and groups else 0


def resident(registers, threads, asked, shared=0):
    """How many programs of so many threads a processor holds at once, of so many asked for.

    By their registers, and by the bytes of shared memory of each.
    """
    by_registers = REGISTERS // (-(-registers // 8) * 8 * threads)
    return min(asked, THREADS // threads, by_registers, SHARED // (shared + 1024))


def _loads(one):
    return one[1].split(".")[0] == "LDG"


def _copied(one):
    return 16 if one[1].startswith("LDGSTS") and one[1].endswith(".128") else 0
