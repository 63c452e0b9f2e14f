"""One turn, asked and answered without a node: what came of it is told by its state, and by why."""

from __future__ import annotations

import hashlib
import json
import lzma

import pytest

from bench.fleet import plan, turn
from bench.fleet.cluster import Lost, Unreachable
from bench.fleet.plan import BadFleet, Pass
from bench.fleet.turn import Job, Line, measuring
from tests.bench.fleet.conftest import PROFILE


class Hand:
    """What is asked of it is what was asked."""

    def ask(self, method, *given):
        return (method, *given)


def job(tmp_path, **given):
    made = {"limit_seconds": 60.0, "busy_seconds": 5.0, "reply_seconds": 9.0, **given}
    return Job("name", "/checkout", ("begin",), ("resume",), None, tmp_path / "a" / "1", **made)


def turned(one, answers):
    """What came of a turn whose worker answers so, and everything that was asked of it."""
    line, asked = Line(), []
    turning = measuring(Hand(), one, line)
    ask = next(turning)
    while True:
        method = ask.ref[0] if ask.ref else "wait"
        asked.append(method)
        given = answers.get(method)
        given = given(ask.ref) if callable(given) else given
        try:
            failed = isinstance(given, Exception)
            ask = turning.throw(given) if failed else turning.send(given)
        except StopIteration as end:
            return end.value, asked


def answers(whole, code=0, said="rnn-roofline: it went wrong\n", **other):
    packed = lzma.compress(whole)
    return {
        "hello": {"checkout": True, "python": "python"},
        "start": 0,
        "follow": {"code": code, "said": said},
        "pack": {"parts": 2, "digest": hashlib.sha256(packed).hexdigest()},
        "part": lambda ref: packed[:100] if ref[1] == 0 else packed[100:],
        **other,
    }


@pytest.fixture
def short_parts(monkeypatch):
    monkeypatch.setattr(turn, "PART_BYTES", 1 << 20)


@pytest.mark.usefixtures("short_parts")
def test_a_profile_is_kept_and_then_forgotten_on_the_node(tmp_path):
    found, asked = turned(job(tmp_path), answers(PROFILE.read_bytes()))
    assert (found.state, found.reason) == ("measured", None)
    assert asked == ["hello", "start", "follow", "pack", "part", "part", "forget"]
    assert (tmp_path / "a" / "1" / "profile.json").read_bytes() == PROFILE.read_bytes()
    found, _ = turned(job(tmp_path), answers(PROFILE.read_bytes(), code=1))
    assert found.reason == "exit code 1: it went wrong"
    found, _ = turned(job(tmp_path), answers(PROFILE.read_bytes(), start=15))
    assert "15 nicer" in found.reason
    gone = answers(PROFILE.read_bytes(), forget=Lost("dead", "the node died"))
    assert turned(job(tmp_path), gone)[0].state == "measured"


@pytest.mark.usefixtures("short_parts")
def test_a_profile_that_is_not_complete_is_gone_on_with(tmp_path):
    cut = json.dumps({**json.loads(PROFILE.read_bytes()), "complete": False}).encode()
    found, asked = turned(job(tmp_path), answers(cut, code=1))
    assert found.state == "failed"
    assert found.reason == "its profile is not complete: exit code 1: it went wrong"
    assert asked[-1] == "again"
    assert not (tmp_path / "a" / "1" / "profile.json").exists()


@pytest.mark.usefixtures("short_parts")
def test_rubbish_is_forgotten(tmp_path):
    found, asked = turned(job(tmp_path), answers(b"{}"))
    assert found.state == "rubbish"
    assert asked[-1] == "forget"
    many = answers(b"{}", pack={"parts": 10**9, "digest": ""})
    found, asked = turned(job(tmp_path), many)
    assert found.state == "rubbish"
    assert "part" not in asked


def test_without_a_checkout_nothing_is_started(tmp_path):
    found, asked = turned(job(tmp_path), {"hello": {"checkout": False}})
    assert (found.state, asked) == ("failed", ["hello"])
    assert "/checkout" in found.reason


def test_at_the_limit_it_is_stopped_and_told_by_what_it_did(tmp_path):
    now = job(tmp_path, limit_seconds=0.0)
    found, asked = turned(now, answers(b"", code=None, said="3 of 9 visits, about 7 s left\n"))
    assert found.state == "hung"
    assert found.reason == "not done within 0 s: 3 of 9 visits, about 7 s left"
    assert asked[-1] == "stop"
    assert "3 of 9" in (now.place / plan.LOG_FILE).read_text()
    found, _ = turned(now, answers(b"", code=None, said="waiting up to 0 s for process 7\n"))
    assert found.state == "busy"
    assert "process 7" in found.reason


def test_one_that_cannot_be_reached_may_come_back_within_its_time(tmp_path):
    away = [Unreachable("no route"), Unreachable("no route"), {"code": 3, "said": ""}]
    back = answers(b"", follow=lambda _: away.pop(0), pack={"parts": 0, "digest": ""})
    found, asked = turned(job(tmp_path), back)
    assert found == Pass("failed", "exit code 3: it said nothing", found.seconds)
    assert asked[2:7] == ["follow", "wait", "follow", "wait", "follow"]
    with pytest.raises(Lost) as told:
        turned(job(tmp_path, reply_seconds=-1.0), answers(b"", follow=Unreachable("no route")))
    assert told.value.state == "dead"


@pytest.mark.usefixtures("short_parts")
def test_a_folder_that_takes_nothing_ends_the_fleet(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(BadFleet):
        turned(job(tmp_path), answers(PROFILE.read_bytes()))
