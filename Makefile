# make tutorial | test | test-browser | notebooks | benchmark | lab: each makes .venv first where it is missing.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: tutorial test test-browser notebooks benchmark lab environment

# Real digits in, a trained network, generated digits and the pages of all notebooks out, under results/.
tutorial: environment
	$(BIN)/python -m iadb_helpers.notebooks tutorial

# Runs on the quick profile and the embedded digits (tests/conftest.py pins both): no network, no GPU.
test: environment
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q --nbval --nbval-cell-timeout=300 --ignore=tests/browser tests notebooks

# The α explorer in a real browser: JupyterLab, a rendered notebook, a page of its own. Chromium must be installed.
test-browser: environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-browser.txt
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q tests/browser

# Runs every notebook from top to bottom and stores its outputs.
notebooks: environment
	$(BIN)/python -m iadb_helpers.notebooks store

# The speeds and the quality table of this machine into benchmarks/results.json: minutes, or an hour with FULL=--full.
benchmark: environment
	$(BIN)/python -m benchmarks.training $(FULL)
	$(BIN)/python -m benchmarks.sampling $(FULL)
	$(BIN)/python -m benchmarks.exact $(FULL)
	$(BIN)/python -m benchmarks.quality $(FULL)
	$(BIN)/python -m benchmarks.plot

lab: environment
	$(BIN)/jupyter lab --notebook-dir=notebooks

environment: $(INSTALLED)
	@echo "environment: .venv holds requirements.txt"

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "environment: installing requirements.txt into .venv, several GB the first time"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
