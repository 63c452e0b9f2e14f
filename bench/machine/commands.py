"""What other programs answer."""

from __future__ import annotations

import os
import subprocess


def output(command: list[str]) -> str | None:
    """What it prints, in English whatever the user speaks; None where it is not there, fails or takes too long."""
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
