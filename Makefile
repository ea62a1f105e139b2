# Two commands for everybody: `make demo` and `make test`. `make check` is what CI runs.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test faults check format bench

help:  ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/.installed  ## .venv with everything in it (5.6 GB, most of it CUDA's)

# made anew only when what is to be installed has changed
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mlhub needs Python 3.11 or newer; try: make PYTHON=python3.11 demo")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup  ## train on the built-in emoji set, evaluate, index, search
	@echo '— 1/5 the data set'
	$(BIN)/mlhub data prepare emoji
	@echo '— 2/5 training (under three minutes on two cores)'
	$(BIN)/mlhub run configs/quickstart.yaml --follow
	@echo '— 3/5 evaluation on held-out drawings'
	$(BIN)/mlhub eval
	@echo '— 4/5 index'
	$(BIN)/mlhub index
	@echo '— 5/5 search'
	$(BIN)/mlhub search "a dog"
	@echo
	@echo 'Next, after: source $(BIN)/activate'
	@echo '  mlhub search 강아지                     ask in Korean'
	@echo '  mlhub search --image FILE --to text    ask with a picture'
	@echo '  mlhub ls                               the runs you just made'
	@echo '  mlhub show @last                       one of them'
	@echo '  mlhub run quickstart training.seed=2   another training, in the background'

# one worker more than there are cores: tests of processes and terminals wait more than they work
WORKERS ?= $(shell n=$$(($$(nproc) + 1)); echo $$((n > 8 ? 8 : n)))

test: setup  ## the whole test suite, on all cores
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

faults: setup  ## every fault a run may meet, with real processes: what was expected, what was seen
	$(BIN)/python -m pytest tests/faults -q -p tests.faults.report

check: setup  ## format, lint, types, imports, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: setup  ## put the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## the figures of the README, measured here
	$(BIN)/python bench/cold_start.py
	$(BIN)/python bench/log_call.py
	$(BIN)/python bench/capture.py
	$(BIN)/python bench/listing.py
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/launch.py
	$(BIN)/python bench/data.py
	$(BIN)/python bench/ranking.py
	$(BIN)/python bench/curves.py
	$(BIN)/python bench/tui.py
