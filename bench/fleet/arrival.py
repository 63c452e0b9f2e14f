"""A profile as it arrives from a node: bounded, whole, read as a stranger's, and then in its place."""

import hashlib
import lzma
import os
from collections.abc import Sequence
from pathlib import Path

from bench.profile import reader
from bench.profile.errors import BadFile, OneLine

MOST_PARTS = 1500
"""Of a profile: as many as its largest could have if nothing of it could be compressed."""
DECODER_BYTES = 128 << 20


class Rubbish(OneLine):
    """What arrived is no profile."""


def unpacked(parts: Sequence[bytes], digest: str) -> bytes:
    """The profile's bytes. Raises Rubbish."""
    packed = b"".join(parts)
    if hashlib.sha256(packed).hexdigest() != digest:
        raise Rubbish("what arrived is not what was sent: its digest differs")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DECODER_BYTES)
    try:
        whole = decoder.decompress(packed, reader.LARGEST_FILE_BYTES)
    except lzma.LZMAError as error:
        raise Rubbish(f"what arrived cannot be unpacked: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise Rubbish(f"what arrived is cut, or larger than {reader.LARGEST_FILE_BYTES} bytes")
    return whole


def kept(whole: bytes, path: Path) -> bool:
    """Put a profile in its place if it is complete; whether it was. Raises Rubbish, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        try:
            complete = reader.load(draft).complete
        except BadFile as error:
            raise Rubbish(f"no profile: {str(error).replace(f'{draft}', path.name)}") from error
        if complete:
            draft.replace(path)
        return complete
    finally:
        draft.unlink(missing_ok=True)
