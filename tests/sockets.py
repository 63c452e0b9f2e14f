"""Run Python with a hook that every Python process below it has, and tell which sockets they used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WATCH = """
import os, sys
LOG = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
EVENTS = {"socket.bind", "socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
def watch(event, arguments):
    if event in EVENTS:
        os.write(LOG, f"{event} {arguments[1:]!r}\\n".encode())
sys.addaudithook(watch)
os.write(LOG, b"began\\n")
"""


def watched(folder: Path, command: list[str]) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run it in the checkout to its end. Returns how it ended, and a line per process begun and use of a socket."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(WATCH)
    log = folder / "sockets.txt"
    environment = {**os.environ, "PYTHONPATH": str(folder / "hook"), "WATCHED": str(log)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    return done, log.read_text().splitlines()


def python(*arguments: str) -> list[str]:
    """The command that runs this Python."""
    return [sys.executable, *arguments]
