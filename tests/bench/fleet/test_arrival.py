"""What arrives from a node is whole, bounded and a profile, or nothing is put in its place."""

from __future__ import annotations

import hashlib
import json
import lzma
import os

import pytest

from bench.fleet import arrival
from bench.fleet.arrival import Rubbish
from bench.profile import reader
from tests.bench.fleet.conftest import PROFILE


def digest(packed):
    return hashlib.sha256(packed).hexdigest()


def test_parts_make_the_whole():
    packed = lzma.compress(b"whole" * 100)
    parts = [packed[:10], packed[10:]]
    assert arrival.unpacked(parts, digest(packed)) == b"whole" * 100


@pytest.mark.parametrize("spoil", ["lost", "cut", "more", "random", "empty"])
def test_what_was_spoilt_is_refused(spoil):
    packed = lzma.compress(os.urandom(2000))
    given = {
        "lost": packed,
        "cut": packed[:-20],
        "more": packed + b"x",
        "random": b"\x00" * 500,
        "empty": b"",
    }[spoil]
    told = "0" * 64 if spoil == "lost" else digest(given)
    with pytest.raises(Rubbish):
        arrival.unpacked([given], told)


def test_what_grows_without_bounds_is_refused_before_it_is_there(monkeypatch):
    monkeypatch.setattr(reader, "LARGEST_FILE_BYTES", 1000)
    packed = lzma.compress(b"\x00" * 5_000_000)
    with pytest.raises(Rubbish) as told:
        arrival.unpacked([packed], digest(packed))
    assert "larger" in str(told.value)


def test_a_profile_is_put_in_its_place_as_it_came_and_another_is_not(tmp_path):
    path = tmp_path / "a" / "1" / "profile.json"
    whole = PROFILE.read_bytes()
    assert arrival.kept(whole, path)
    assert path.read_bytes() == whole
    path.unlink()
    cut = json.dumps({**json.loads(whole), "complete": False}).encode()
    assert not arrival.kept(cut, path)
    for bad in (b"", b"{}", b"\xff\xfe", whole[:-9], b'{"schema": "rnn-roofline/2"}'):
        with pytest.raises(Rubbish) as told:
            arrival.kept(bad, path)
        assert str(tmp_path) not in str(told.value)
    assert list(path.parent.iterdir()) == []
