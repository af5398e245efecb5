# Each target makes .venv first where it is missing. CONTRIBUTING.md says which one is for what.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
TEACHING := .venv/teaching
OLDEST := .venv-oldest
# Small tests want one thread a process: threads would wait for each other at every step.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q

.PHONY: tutorial site check test test-browser test-class test-oldest notebooks student labs slides bundle playground \
	banner benchmark budget figures lab environment

# Real digits in; out, under results/: a trained network, generated digits, and all lessons as pages from index.html on.
tutorial: environment
	$(BIN)/python -m tools.notebooks tutorial

# The whole series as a website in site/, which opens from that folder with no network.
site: environment
	$(BIN)/python -m tools.site

# Format, lint, types and the fast tests: a minute.
check: $(TEACHING)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(PYTEST) -n 2 -m "not slow" --ignore=tests/browser --ignore=tests/classroom tests

# All of check, the slow tests and every notebook, on the quick profile and the embedded digits (tests/conftest.py pins
# both): no network, no GPU.
test: check
	$(PYTEST) -n 2 --dist loadfile -m slow --nbval --nbval-cell-timeout=300 --ignore=tests/browser \
		--ignore=tests/classroom --ignore=notebooks/student tests notebooks

# What runs in a browser: every page of the website and the playground in Chromium and Firefox, which must be installed,
# and the α explorer in JupyterLab, Notebook 7 and the website. Compiles the playground's kernel, too.
test-browser: environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-browser.txt
	$(BIN)/python -m tools.browsers
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q tests/browser

# A class hands in: thirty submissions of lab 1, and some of the others, are graded as a teacher would. Ten minutes.
test-class: $(TEACHING)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -s tests/classroom

# The fast tests with the oldest versions that pyproject.toml admits, in an environment of their own.
test-oldest:
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct -e ".[notebooks,metrics,site,tests,teaching]"
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -q -n 2 -m "not slow" --ignore=tests/browser \
		--ignore=tests/classroom tests

# Runs every notebook from top to bottom, stores its outputs, writes down how long each took, and the student copies.
notebooks: $(TEACHING)
	$(BIN)/python -m benchmarks.notebook_times
	$(BIN)/python -m tools.figures
	$(BIN)/python -m tools.student

# Writes notebooks/student/: the lessons with blanks where the reader writes. Generated, never edited.
student: $(TEACHING)
	$(BIN)/python -m tools.student

# Writes teaching/labs/release/: the labs and the homework as students get them, without solutions and hidden tests.
labs: $(TEACHING)
	$(BIN)/python -m tools.labs

# Writes teaching/slides.html, slides.pdf and formulas.pdf. Needs Chromium, and the first time a network, for reveal.js.
slides: environment
	$(BIN)/python -m tools.slides

# Writes one zip for a room without a network into results/: the course, the website, and the wheels for this system.
bundle: $(TEACHING)
	$(BIN)/python -m tools.bundle

# Writes docs/playground.html, the network that ships as a page for whoever installs nothing.
playground: environment
	$(BIN)/python -m iadb_helpers.explorer page docs/playground.html

# Writes docs/banner.gif and docs/banner.png, the first picture of the README and of the website.
banner: environment
	$(BIN)/python -m tools.banner

# Speed and quality on this machine into benchmarks/results.json: minutes, or an hour with FULL=--full. What is stored for
# this machine is not measured again, or all of it with FULL=--again.
benchmark: environment
	$(BIN)/python -m benchmarks $(FULL)

# The most memory that each lesson's and lab's kernel needs, into benchmarks/budget.json and docs/jupyterhub.md.
budget: $(TEACHING)
	$(BIN)/python -m benchmarks.budget

# What was measured into README.md, docs/gpu.md and the lessons' openings.
figures: $(TEACHING)
	$(BIN)/python -m tools.figures
	$(BIN)/python -m tools.student

lab: environment
	$(BIN)/jupyter lab --notebook-dir=notebooks

$(TEACHING): requirements-teaching.txt $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-teaching.txt
	@touch $@

environment: $(INSTALLED)
	@echo "environment: .venv holds requirements.txt"

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "environment: installing requirements.txt into .venv, several GB the first time"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
