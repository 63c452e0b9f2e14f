# Everything these commands make stays inside the checkout: .venv, .cache and reports/runs.

PYTHON ?= python3
ARGS ?=

CACHE := $(CURDIR)/.cache
BIN := .venv/bin
INSTALLED := .venv/.installed
STAMP := .venv/.linked

export CUDA_CACHE_PATH := $(CACHE)/cuda
export HYPOTHESIS_STORAGE_DIRECTORY := $(CACHE)/hypothesis
export MPLCONFIGDIR := $(CACHE)/matplotlib
export NUMBA_CACHE_DIR := $(CACHE)/numba
export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export TMPDIR := $(CACHE)/tmp
export TORCHINDUCTOR_CACHE_DIR := $(CACHE)/inductor
export TORCH_EXTENSIONS_DIR := $(CACHE)/torch_extensions
export TRITON_CACHE_DIR := $(CACHE)/triton
export UV_CACHE_DIR := $(CACHE)/uv
export XDG_CACHE_HOME := $(CACHE)
# A package found on PYTHONPATH would count as installed, and be missing later.
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help report report-gpu card rehearse-gpu test guests lint smoke format venv lock clean

help: ## this list
	@echo "usage: make TARGET [ARGS='options for pytest'] [PYTHON=python3.12]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-11s %s\n", $$1, $$2 }'

report: $(STAMP) | .cache/tmp ## measure this machine with the quick suite; print the headline and the page's path
	@$(BIN)/python -m pytest -c pyproject.toml --benchmark-only $(ARGS)

# Installs nothing: a machine with a GPU brings its own PyTorch and Triton, and may have no network.
NEEDED := filelock jinja2 msgspec numpy psutil pytest pytest_benchmark rich scipy torch
report-gpu: export PYTHONPATH := $(PYTHONPATH)
report-gpu: | .cache/tmp ## measure this machine's GPU by the packages that PYTHON has; installs nothing
	@$(PYTHON) -c 'import sys; from importlib.util import find_spec; \
	  absent = [name for name in sys.argv[1:] if find_spec(name) is None]; \
	  sys.exit(f"error: {sys.executable} lacks " + ", ".join(absent) + \
	  "; name another: make PYTHON=python3.12 report-gpu" if absent else 0)' $(NEEDED)
	@$(PYTHON) -m pytest -c pyproject.toml --benchmark-only --device cuda $(ARGS)

# Nothing is installed here either, and PYTHONPATH may name what the machine lacks.
SECONDS := 270
OUT ?= $(CACHE)/card
card: export PYTHONPATH := $(PYTHONPATH)
card: | .cache/tmp ## check and measure a GPU that is at hand for SECONDS=270; everything into OUT=folder
	@$(PYTHON) -m tests.card $(SECONDS) $(OUT)

# What a machine with a GPU has, in a folder of its own: several GB. CARD_VENV may name one that is there.
CARD_VENV ?= $(CACHE)/card-venv
CARD_PACKAGES := torch==2.11.0 triton==3.6.0 cuda-bindings numpy numba pandas matplotlib jinja2 psutil filelock \
  msgspec nvidia-ml-py rich scipy pytest pytest-benchmark pytest-xdist pytest-timeout hypothesis
rehearse-gpu: | .cache/tmp ## what can be tested for a GPU without one, with the software of one that is rented
	@[ -x $(CARD_VENV)/bin/python ] || { $(PYTHON) -m venv $(CARD_VENV) && \
	  $(CARD_VENV)/bin/python -m pip install --quiet $(CARD_PACKAGES); }
	@TRITON_CACHE_DIR=$(CACHE)/card-triton $(CARD_VENV)/bin/python -m tests.card.rehearse $(ARGS)

test: $(STAMP) | .cache/tmp ## run the tests; needs no network once installed
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(ARGS)

# In a folder of its own, and no other run of pytest has them. Beside torch's pins these are small: some 40 packages.
guests: $(STAMP) | .cache/tmp ## install plugins of pytest that the tests try beside ours
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["guests"], sep="\n")' > .cache/guests.txt
	@rm -rf .cache/guests
	@$(BIN)/python -m pip install --quiet --no-deps --target .cache/guests -r .cache/guests.txt

lint: $(STAMP) | .cache/tmp ## check format, rules and types
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy

smoke: $(STAMP) | .cache/tmp ## measure a handful of cases, to see that measuring works
	@$(BIN)/python -m pytest -c pyproject.toml --benchmark-only --suite smoke $(ARGS)

format: $(STAMP) | .cache/tmp ## rewrite the code in the house format
	@$(BIN)/python -m ruff check --fix-only .
	@$(BIN)/python -m ruff format .

venv: $(STAMP) ## install the locked dependencies into .venv, if the locks changed

# pytest knows our options wherever it is started, once the environment names the checkout.
$(STAMP): $(INSTALLED) bench/plugin/link.py
	@$(BIN)/python -m bench.plugin.link
	@touch $@

$(INSTALLED): requirements.lock requirements-torch.lock | .cache/tmp
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is missing or older than Python 3.11; name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: $(PYTHON) lacks the venv module; install it (Debian and Ubuntu: the package python3-venv)" >&2; exit 1; }
	@[ ! -L .venv ] || { echo "error: .venv is a link: installing would empty the folder it leads to;" \
	  "run make venv there, or remove the link" >&2; exit 1; }
	@echo "Installing the locked dependencies into .venv (once; torch is large)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -r requirements-torch.lock
	@touch $@

# Inductor keeps its precompiled headers in the temporary folder, whatever its cache's name.
.cache/tmp:
	@mkdir -p $@

lock: | .cache/tmp ## pin the dependencies of pyproject.toml anew (ARGS=--upgrade for newer versions)
	@$(PYTHON) -m venv "$(CACHE)/lock"
	@"$(CACHE)/lock/bin/python" -m pip install --quiet uv
	@"$(CACHE)/lock/bin/python" -m uv pip compile pyproject.toml --extra dev --universal \
	  --python-version 3.11 --fork-strategy fewest --generate-hashes \
	  --constraint requirements-torch.lock --no-emit-package torch --quiet \
	  --custom-compile-command "make lock" --output-file requirements.lock $(ARGS)

clean: ## remove .venv and every cache; never reports/runs
	@rm -rf .venv .cache .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	@find . -path ./reports/runs -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
