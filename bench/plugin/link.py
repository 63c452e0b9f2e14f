"""Make this checkout known to the virtual environment that runs this: `make venv` calls `python -m bench.plugin.link`.

pytest then loads our plugin wherever it is started, and so knows our options before it looks for its configuration.
Nothing is copied: a file names the checkout, and a module of a few lines imports the plugin. Where pytest is started in
another checkout that is the other one's, if it has one.
"""

import os
import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
NAME = "rnn_roofline"
MODULE = f"{NAME}_link"
LOADS = '''"""Loads rnn-roofline's pytest plugin: that of the checkout around, else of this environment's."""


def pytest_addoption(pluginmanager):
    try:
        import bench.plugin.hooks
    except ImportError:  # a checkout that has none, or another package of this name
        return
    pluginmanager.import_plugin("bench.plugin.hooks")
'''


def main() -> int:
    """Write the files. Returns 2, with a line, where this is no virtual environment."""
    if sys.prefix == sys.base_prefix:
        sys.stderr.write(f"error: {sys.prefix} is no virtual environment: run make venv\n")
        return 2
    packages = Path(sysconfig.get_paths()["purelib"])
    told = packages / f"{NAME}-0.dist-info"
    told.mkdir(exist_ok=True)
    for path, text in (
        (packages / f"{NAME}.pth", os.path.relpath(CHECKOUT, packages)),
        (packages / f"{MODULE}.py", LOADS),
        (told / "METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 0"),
        (told / "entry_points.txt", f"[pytest11]\n{NAME} = {MODULE}"),
    ):
        path.write_text(text.rstrip() + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
