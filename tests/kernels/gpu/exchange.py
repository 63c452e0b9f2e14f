"""How blocks hand on states in kernels/gpu/in_registers.cu, as a machine of few states, and every order of it tried.

A block reads the count, then at each step one word of every block, in any order, and then shows its own. What is shown
arrives at any time later, words of one address in order. Words are numbers of states, of which readers see the bit.
"""

from __future__ import annotations

from typing import NamedTuple

UNREAD = -1


class Block(NamedTuple):
    """The count it read, its step, the blocks whose words of this step it has, and what it showed that has not come."""

    count: int = UNREAD
    step: int = 0
    has: frozenset[int] = frozenset()
    underway: tuple[tuple[object, int], ...] = ()


def two_slots(number):
    return number & 1


def every_other_pair(number):
    return number >> 1 & 1


def faults(blocks, calls, slot=two_slots, bit=every_other_pair, early=False):
    """What can go wrong in calls of so many steps one after the other: "stuck", "another's word", "count"; or nothing.

    `early` has the first block leave the count before it has seen the last states.
    """
    memory = {"count": 0} | {(place, i): 0 for place in (0, 1) for i in range(blocks)}
    found, starts, true_count = set(), {tuple(sorted(memory.items(), key=str))}, 0
    for steps in calls:
        ends = set()
        for start in starts:
            wrong, some = _call(blocks, steps, dict(start), true_count, slot, bit, early)
            found |= wrong
            ends |= some
        starts, true_count = ends, true_count + steps - 1
    return found


def _call(blocks, steps, memory, true_count, slot, bit, early):
    begin = ((Block(),) * blocks, tuple(sorted(memory.items(), key=str)))
    seen, todo, wrong, ends = {begin}, [begin], set(), set()
    while todo:
        state = todo.pop()
        following = list(_moves(state, steps, true_count, slot, bit, early, wrong))
        if not following:
            done = all(one.step == steps for one in state[0])
            (ends.add(state[1]) if done else wrong.add("stuck"))
        for one in following:
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return wrong, ends


def _moves(state, steps, true_count, slot, bit, early, wrong):
    blocks, items = state
    memory = dict(items)

    def replaced(i, block, words=items):
        return (*blocks[:i], block, *blocks[i + 1 :]), words

    for i, one in enumerate(blocks):
        arrived = set()
        for n, (at, number) in enumerate(one.underway):  # the oldest of each address may come
            if at not in arrived:
                arrived.add(at)
                left = (*one.underway[:n], *one.underway[n + 1 :])
                words = tuple(sorted((memory | {at: number}).items(), key=str))
                yield replaced(i, one._replace(underway=left), words)
        if one.count == UNREAD:
            if memory["count"] != true_count:
                wrong.add("count")
            shown = (("count", memory["count"] + steps - 1),) if early and i == 0 else ()
            yield replaced(i, one._replace(count=memory["count"], underway=shown))
        elif one.step < steps:
            number = one.count + 1 + one.step
            if one.step == 0 or len(one.has) == len(blocks):
                shown = one.underway
                if one.step + 1 < steps:
                    shown = (*shown, ((slot(number + 1), i), number + 1))
                elif i == 0 and steps > 1 and not early:
                    shown = (*shown, ("count", one.count + steps - 1))
                yield replaced(i, Block(one.count, one.step + 1, frozenset(), shown))
                continue
            for other in set(range(len(blocks))) - one.has:
                word = memory[slot(number), other]
                if bit(word) == bit(number):
                    if word != number:
                        wrong.add("another's word")
                    yield replaced(i, one._replace(has=one.has | {other}))
