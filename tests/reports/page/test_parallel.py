"""Work in forked processes: it shows in files, has ended where the body has, and says nothing of its errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reports import locate

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

import os
fork, forks = os.fork, []
def once():
    if forks:
        raise OSError("no process for another")
    forks.append(1)
    return fork()
os.fork = once
with parallel.forked([(here / "first").touch, (here / "second").touch]):
    pass
os.fork = fork

threading.Thread(target=partial(time.sleep, 0.3)).start()
with parallel.forked([(here / "threaded").touch]):
    pass
"""


def printed(script, *arguments):
    """What a script prints in a new process, which has one thread; it ends well and says nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_pieces_work_while_the_body_runs_and_end_with_it(tmp_path):
    assert printed(SCRIPT, tmp_path) == ["printed once, by this process", "the body's own"]
    assert {path.name for path in tmp_path.iterdir()} == {"late", "body", "first"}


BUILD = """
import os, sys
from pathlib import Path
from reports import locate
from reports.analysis.analysis import Analysis
from reports.page import build

save, drew = build.save_pictures, Path(sys.argv[3])
def noting(charts, folder, pictures):
    for name in pictures:
        if not (folder / f"{name}.svg").exists():
            (drew / f"{name} {os.getpid()}").touch()
    save(charts, folder, pictures)

build.MANY, build.save_pictures = 0, noting
build.build(Analysis(locate.load(sys.argv[1])[0]), Path(sys.argv[2]))
print(os.getpid())
"""


def test_pictures_of_many_points_are_drawn_beside_the_tables(tmp_path):
    """Every one is there, and each was drawn by one process, none by the one that writes the tables."""
    drew = tmp_path / "drew"
    drew.mkdir()
    (writer,) = printed(BUILD, locate.gallery()[0], tmp_path / "out", drew)
    named = dict(path.name.rsplit(" ", 1) for path in drew.iterdir())
    assert len(named) == len(list(drew.iterdir())) == len(list(tmp_path.glob("out/plots/*.svg")))
    assert len({*named.values()} - {writer}) == 2
