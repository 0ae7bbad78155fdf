# Each target installs what it needs into .venv when that is missing or pyproject.toml is newer.
PYTHON ?= python3.11
BIN := .venv/bin
ROOT ?= .shelfcast
FAULTS ?= --kills 200 --each 3
# Tests wait for servers and other processes for a third of their time.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Files are handed out as they are collected: by number of tests, as is the default, the slow ones with few tests would come last.
TESTS := -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test coverage test-faults lint audit bench ui clean

.venv/installed: pyproject.toml .ci/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/shelfcast demo --root $(ROOT)

test: .venv/installed
	$(BIN)/python $(TESTS)

# The same tests, and which lines no one of them runs, in their child processes too: half as long again.
coverage: .venv/installed
	$(BIN)/python $(TESTS) --cov --cov-report term

# Kills, full disks, clocks, damage: an hour or two on two idle cores; FAULTS=--short does a few kinds in minutes.
test-faults: .venv/installed
	$(BIN)/python -m benchmarks.faults $(FAULTS)

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd dbt_project && ../$(BIN)/sqlfluff lint --disable-progress-bar models

audit: .venv/installed
	$(BIN)/python .ci/audit.py

bench: .venv/installed
	$(BIN)/python -m benchmarks

ui: .venv/installed
	$(BIN)/shelfcast ui --root $(ROOT)

clean:
	rm -rf .venv .shelfcast dbt_project/target
