# `make help` lists the targets. Everything installs itself into .venv, at the versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
# by all cores at once, where pip takes one; what has no meaning to this python is left as it is
COMPILE := $(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo doctor test test-slow lint format docs bench bench-gpu check-gpu check-kernels paper-maze-gpu verify clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(VENV)/installed ## Set up .venv (the other targets do so themselves)

demo: $(VENV)/installed ## Train and judge a small model on mazes with corrupted traces
	$(BIN)/python -m tracelab.train task=maze trace=corrupted budget.tokens=2500000

doctor: $(VENV)/installed ## Say what this machine is, and how to mend what is bad
	$(BIN)/python -m tracelab.doctor

test: $(VENV)/installed-test ## Run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" --durations=30

test-slow: $(VENV)/installed-test ## Run the tests that take minutes, too
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/installed-lint ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-lint ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed-docs ## Build these pages as a site with search, in docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build
	@echo docs/_build/index.html

verify: $(VENV)/installed-test ## Check the verifiers on millions of traces, and on hostile ones and files
	$(BIN)/python -m tests.helpers.full_checks
	$(BIN)/python -m tests.helpers.task_checks
	$(BIN)/python -m tests.helpers.hostile

bench: $(VENV)/installed-bench ## Compare speeds with peers in a quarter of an hour; one table at the end
	$(BIN)/python bench/suite.py

check-gpu: $(VENV)/installed-bench ## Check the GPU's code on one GPU, in nine minutes, before all else there
	$(BIN)/python bench/gpu_check.py

check-kernels: $(VENV)/installed-test $(VENV)/kernels ## Compile for an H100 what torch would run there, without one
	$(BIN)/python -W ignore -m tests.helpers.pretended_kernels

bench-gpu: $(VENV)/installed-bench ## The same on one GPU, in nine minutes: MFU, training and sampling
	$(BIN)/python bench/gpu.py

paper-maze-gpu: $(VENV)/installed ## Train a 15M model for half an hour on the published mazes, and judge it
	$(BIN)/python -m tracelab.train experiment=paper_maze trainer=gpu budget.minutes=30

clean: ## Remove .venv and caches of tools
	rm -rf $(VENV) docs/_build .mypy_cache .pytest_cache .ruff_cache dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "tracelab needs python 3.11 to 3.13; try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python has no working venv module; on Debian: apt install python3-venv"; exit 1; }

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	@$(COMPILE)
	@touch $@

# Triton comes with torch's builds for CUDA; beside those for CPUs it stays out of the way
$(VENV)/kernels: constraints.txt | $(VENV)/installed
	rm -rf $@
	$(PIP) --no-deps --target $@ triton
	@touch $@

# each extra has a stamp of its own, so that none is installed before it is needed
$(VENV)/installed-%: pyproject.toml constraints.txt | $(VENV)/installed
	$(PIP) --editable '.[$*]'
	@$(COMPILE)
	@touch $@
