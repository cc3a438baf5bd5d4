# make setup | demo | test | test-all | test-slurm | bench | lint | clean
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null))
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/demo
STAMP := $(VENV)/.ready

.PHONY: setup demo test test-all test-slurm test-slurm-short bench lint clean
.DEFAULT_GOAL := help

help:
	@echo "make setup     make .venv and install simkit with pinned dependencies"
	@echo "make demo      build, relax, migrate, glide and map a P2/O3 intergrowth; prints where the report is"
	@echo "make test      linter, architecture test, tests (under 15 minutes on 2 cores)"
	@echo "make test-all  the same with the slow tests"
	@echo "make test-slurm  campaigns on a private SLURM that is killed, preempted and cancelled (under 10 minutes)"
	@echo "make bench     benchmarks side by side with peers, printed as ratios"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "simkit needs Python 3.11 or newer; none found. Install it, or: make PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "simkit needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`. Try: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) lacks the venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing simkit and its dependencies into $(VENV) (some minutes the first time) ..."
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet -c constraints.txt "setuptools>=77" wheel \
		&& PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]" \
		|| { echo "The installation failed; the lines above say why. A package registry (PyPI or a mirror set in pip's configuration) must be reachable."; exit 1; }
	@touch $(STAMP)

demo: setup
	@$(BIN)/simkit run workflows/configs/demo.toml --out $(OUT) --resume || \
		{ code=$$?; test $$code -ne 1 || echo "The lines above say what did not converge; the report has the rest."; exit $$code; }

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

test: lint
	@$(BIN)/python -m pytest

test-all: lint
	@$(BIN)/python -m pytest -m "(slow or not slow) and not slurm"

SLURM_PACKAGES := slurm-wlm munge
SLURM_HINT := "needs slurmctld, slurmd and munged: apt-get install -y --no-install-recommends $(SLURM_PACKAGES)"

test-slurm: setup
	@PATH="$$PATH:/usr/sbin" command -v slurmctld >/dev/null || { echo $(SLURM_HINT); exit 2; }
	@$(BIN)/python -m pytest tests/slurm -m slurm

test-slurm-short: setup
	@PATH="$$PATH:/usr/sbin" command -v slurmctld >/dev/null || { echo $(SLURM_HINT); exit 2; }
	@$(BIN)/python -m pytest tests/slurm -m "slurm and not slow"

bench: setup
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
