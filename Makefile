# make demo     set up, run the demonstration (simulated reviews, minutes) and print its comparison
# make report   all tables and figures of the demo as one page, results/demo/report.html;
#               DATASET=NAME: of another row of config/config.yaml; RAW=FOLDER: with its files
# make test     set up, check style and run the tests
# make faults   kill, fill up and damage runs, also on a SLURM cluster of this machine (root, and on
#               Debian slurm-wlm and munge), and print what came of it
# make docs     make docs/configuration.md and docs/dag.svg; graphviz draws the latter
# make bench    set up, measure every heavy step, print the tables; RAW=FOLDER names public data
# make performance   the same, and put the tables into docs/performance.md
# make load     eight small datasets at once; then 50 clients for a minute ask `lohrec serve` for lists
#               of the demonstration's TIGER
# make recbole  RecBole in an environment of its own, .recbole, to compare networks with in the tests
# make race     SASRec's time to the same dev figure as RecBole's own program; RAW=FOLDER has Instruments
# make lock     requirements.lock: every package that is installed, with hashes, for Python 3.11 to 3.13
# make audit    are there known weaknesses in the packages of requirements.lock? It asks PyPI
# make setup    only set up: Python packages, the library and its Snakemake logger, into .venv
# make PYTHON=python3.12 ...   use another Python, 3.11 to 3.13
PYTHON ?= python3
BIN := .venv/bin
RAW ?= resources/raw
DATASET ?= demo
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --root-user-action=ignore
# One line a step; each job's own words are in logs/.
RUN := $(BIN)/snakemake --logger lohrec
DEMO := results/demo

.PHONY: demo report test faults docs bench performance load recbole race lock audit setup
.DELETE_ON_ERROR:

demo: setup
	@echo "Demonstration: popularity and five recommenders, three of them with a teacher, on simulated"
	@echo "reviews; some two minutes on two cores."
	@$(RUN) --cores all -- $(DEMO)/comparison.md
	@echo
	@cat $(DEMO)/comparison.md
	@echo
	@echo "The same as a figure:     $(DEMO)/comparison.svg"
	@echo "Recommend in Python:      lohrec.Recommender.load, in README.md"
	@echo "Your own data, settings:  README.md and docs/"

report: setup
	@$(RUN) --cores all --config raw_dir=$(RAW) -- results/$(DATASET)/report.html
	@echo "Open results/$(DATASET)/report.html in a browser; its tables are in report.md and report.csv."

test: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	    --no-loadscope-reorder

faults: .venv/dev.stamp
	@$(BIN)/python tests/faults.py

docs: setup
	$(BIN)/python -m lohrec.configuration.page > docs/configuration.new
	mv docs/configuration.new docs/configuration.md
	@command -v dot > /dev/null || { echo "Install graphviz: its program dot draws docs/dag.svg."; exit 1; }
	$(BIN)/snakemake --rulegraph -- results/games/comparison.md > docs/dag.dot
	dot -Tsvg docs/dag.dot > docs/dag.svg
	rm docs/dag.dot

# One job at a time, so that none is measured beside another.
bench: setup
	@$(RUN) --cores 2 --resources benchmark=1 --config raw_dir=$(RAW) -- results/benchmarks/table.md
	@cat results/benchmarks/table.md

# The tables of docs/performance.md, after its mark.
performance: bench
	sed -i '/^<!-- tables -->/q' docs/performance.md
	(echo; cat results/benchmarks/table.md) >> docs/performance.md

load: .venv/dev.stamp
	@$(BIN)/python -m pytest -s tests/many_datasets.py
	@$(RUN) --cores all -- $(DEMO)/tiger/seed_0/model/recommender.json
	@$(BIN)/python -m lohrec.benchmarks.load $(DEMO)/tiger/seed_0

recbole: .recbole/stamp

# Its last version, 1.2.1, needs older packages than this program.
.recbole/stamp:
	$(PYTHON) -m venv .recbole
	.recbole/bin/python -m pip install -qq --disable-pip-version-check recbole==1.2.1 'numpy<2' 'pandas<3' \
	    $$(grep ^torch== requirements.txt)
	@touch $@

race: setup .recbole/stamp
	@$(RUN) --cores all --config raw_dir=$(RAW) -- results/instruments_lcrec/data/examples.parquet
	@$(BIN)/python -m lohrec.benchmarks.race results/instruments_lcrec/data

# First the same pins for each Python, since a lock that suits all is no proof for one.
lock: setup
	@$(PIP) uv==0.13.9
	@for version in 3.11 3.12 3.13; do \
	    $(BIN)/uv pip compile -q --python-version $$version requirements.txt > /dev/null || exit 1; \
	done
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-header requirements.txt > requirements.new
	@mv requirements.new requirements.lock

# Strict: where PyPI does not answer for a package, nothing is known of it.
# In an environment of its own, since it only reads a file.
audit:
	@test -x .audit/bin/pip-audit || $(PYTHON) -m venv .audit
	@.audit/bin/pip install -qq --disable-pip-version-check pip-audit==2.10.1
	@.audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

setup: .venv/run.stamp

# Set up once, and again when the pins or the packages of the tree change.
.venv/run.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("LOHRec needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@echo "Installing LOHRec and what it needs into .venv. It takes a few minutes and 2 GB of disk,"
	@echo "more where pip takes PyTorch with CUDA."
	@$(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@
	@echo "Installed."

.venv/dev.stamp: requirements-dev.txt requirements-serve.txt requirements-slurm.txt .venv/run.stamp
	@$(PIP) --requirement requirements-dev.txt
	@touch $@
