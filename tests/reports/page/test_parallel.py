"""Work in forked processes: it shows in files, has ended where the body has, and says nothing of its errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys, threading, time
from functools import partial
from pathlib import Path
from reports.page import parallel

here = Path(sys.argv[1])
print("printed once, by this process")

def late():
    time.sleep(0.05)
    (here / "late").touch()

with parallel.forked([late, partial((here / "no folder" / "x").write_text, "x")]):
    (here / "body").touch()
assert (here / "late").exists() and (here / "body").exists()

try:
    with parallel.forked([partial(time.sleep, 600)]):
        raise ValueError("the body's own")
except ValueError as error:
    print(error)

threading.Thread(target=partial(time.sleep, 0.3)).start()
with parallel.forked([(here / "threaded").touch]):
    pass
"""


def test_pieces_work_while_the_body_runs_and_end_with_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["printed once, by this process", "the body's own"]
    assert {path.name for path in tmp_path.iterdir()} == {"late", "body"}
