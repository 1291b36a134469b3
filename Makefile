# Needs python3 (3.11 or later) and make; every target sets up what it uses.

PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/setup.stamp
SETUP_DOCS := .venv/docs.stamp
BENCHMARKS = $(filter-out benchmarks/harness.py,$(sort $(wildcard benchmarks/*.py)))

.DEFAULT_GOAL := help
.PHONY: help setup demo test slow hostile lint format bench docs figures

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/\1:/p' Makefile

setup: $(SETUP)  ## .venv with the package and its dev extra (PYTHON=... picks another python3)

$(SETUP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(SETUP_DOCS): $(SETUP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

demo: $(SETUP)  ## learn the gapminder snapshots and forecast, into runs/demo
	$(BIN)/wflow run configs/gapminder.yaml --out runs/demo --overwrite

test: $(SETUP)  ## all tests but the slow ones, on all cores
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

slow: $(SETUP)  ## the slow tests
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

hostile: $(SETUP)  ## spoil every argument of every public name, and count what comes back
	$(BIN)/python -m tests.hostile

lint: $(SETUP)  ## ruff, basedpyright, and the contract of the floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(SETUP)  ## format the code and sort the imports
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(SETUP)  ## every benchmark in turn; peers come with the bench extra
	@set -e; for script in $(BENCHMARKS); do \
		echo "$$script"; $(BIN)/python "$$script"; \
	done

docs: $(SETUP_DOCS)  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: $(SETUP)  ## the pictures and outputs of the documentation, and sheets of them in runs/
	$(BIN)/python docs/outputs.py
	$(BIN)/python docs/figures.py
