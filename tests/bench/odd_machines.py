"""The /proc and /sys of machines that are not like most, each a file `{path: text}` in `fixtures/machines`."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "fixtures" / "machines"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def files(name):
    """Texts by their paths, relative to the root."""
    texts = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {path.lstrip("/"): text for path, text in texts.items()}


def lay_out(root, texts):
    """These files under a root folder."""
    for path, text in texts.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root
