"""What a node runs in tests in place of a measurement: `canned.py FOLDER OUT` tells, and ends as FOLDER says.

The name of the node and of its pass stand in OUT. FOLDER/calls.txt has a line for each call; FOLDER/NODE-PASS says what
becomes of it, where it is there; else the pass gives the profile in FOLDER/profile.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

FOLDER, OUT = Path(sys.argv[1]), Path(sys.argv[2])
NODE, PASS = re.fullmatch(
    r"rnn-roofline-fleet-[0-9a-f]+-(.+?)-((?:confirm-)?\d+)", OUT.parent.name
).groups()
WHAT = FOLDER / f"{NODE}-{PASS}"
what = WHAT.read_text().split() if WHAT.exists() else ["whole"]
with (FOLDER / "calls.txt").open("a") as calls:
    calls.write(f"{NODE} {PASS} {time.monotonic()} {os.getpid()} {OUT}\n")
(FOLDER / f"environment-{NODE}-{PASS}.json").write_text(json.dumps(dict(os.environ)))
OUT.mkdir(exist_ok=True)
sys.stdout.write(
    "rnn-roofline: suite canned, 1 threads, into x\n1 of 2 visits, about 1 s of measuring left\n"
)
sys.stdout.flush()
if what[0] == "hangs":
    time.sleep(300)
elif what[0] == "fails":
    sys.stdout.write("rnn-roofline: no luck today\n")
    sys.exit(1)
elif what[0] == "rubbish":
    (OUT / "profile.json").write_text('{"schema": "\x1b[2J"}')
else:
    time.sleep(float(what[1]) if len(what) > 1 else 0)
    shutil.copy(FOLDER / "profile.json", OUT / "profile.json")
