# make demo   set up, run the demonstration (simulated reviews, minutes) and print its comparison
# make test   set up, check style and run the tests
# make bench  set up, measure every heavy step, print the tables; RAW=FOLDER names public data
# make PYTHON=python3.12 ...   use another Python, 3.11 or newer
PYTHON ?= python3
BIN := .venv/bin
RAW ?= resources/raw

.PHONY: demo test bench performance setup
.DELETE_ON_ERROR:

demo: setup
	$(BIN)/snakemake --cores all results/demo/comparison.md
	cat results/demo/comparison.md

test: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/python -m pytest

# One job at a time, so that none is measured beside another.
bench: setup
	$(BIN)/snakemake --cores 2 --resources benchmark=1 --config raw_dir=$(RAW) -- results/benchmarks/table.md
	cat results/benchmarks/table.md

# The tables of docs/performance.md, after its mark.
performance: bench
	sed -i '/^<!-- tables -->/q' docs/performance.md
	(echo; cat results/benchmarks/table.md) >> docs/performance.md

setup: .venv/run.stamp

# Set up once, and again when the pins change.
.venv/run.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("LOHRec needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt
	touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	$(BIN)/python -m pip install -r requirements-dev.txt
	touch $@
