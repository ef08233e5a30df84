# Each command lives here, once; CI and CONTRIBUTING.md call these targets.
# Runs with GNU make 3.81 (macOS) and later; on Windows, from Git Bash.

UV_VERSION := 0.13.9
CELL_SECONDS := 600
SINCE ?= HEAD
BENCH_ARGS ?=
CLASSROOM_ARGS ?=
LAB_ARGS ?=
BUNDLE_ARGS ?=

ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

VENV_PYTHON := $(BIN)/python
UV := $(VENV_PYTHON) -m uv
PYTEST := $(VENV_PYTHON) -m pytest
# A home and a cache of their own: the runs that a test notes are nobody's.
LESSONS := SRLAB_HOME="$$(mktemp -d)" SRLAB_CACHE="$$(mktemp -d)" $(PYTEST) lessons -p tests.warm_kernels --nbval-lax --nbval-sanitize-with=tests/nbval.cfg --nbval-kernel-name=python3 --nbval-cell-timeout=$(CELL_SECONDS)
# One thread each: two trainings with two threads each are slower. Unit tests and the
# browser's wait for processes and pages, so three are at it where there are two processors.
# Of unit tests, who is done first takes over half of what another has left; a notebook's
# cells stay together, and so do the browser's tests of a file, in the order that is given.
UNITS := -n 3 --dist worksteal
NOTEBOOKS := -n 2 --dist loadfile
BROWSERS := -n 3 --dist loadfile --no-loadscope-reorder
ONE_THREAD := OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab classroom check test test-units test-lessons test-browser test-gpu \
	lessons app site bundle kit sync lint types bench lock sums install check-python clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

lab: install ## install if needed, then open JupyterLab on your own copy of the lessons (LAB_ARGS=...)
	$(BIN)/srlab lab my-lessons $(LAB_ARGS)

classroom: install ## a JupyterHub for a room (CLASSROOM_ARGS="--learners names.txt")
	$(BIN)/srlab classroom $(CLASSROOM_ARGS)

check: lint types ## style, types and the quick unit tests of what changed (SINCE=HEAD)
	@tests="$$($(VENV_PYTHON) -m tests.changed $(SINCE))"; \
	if test -n "$$tests"; then $(ONE_THREAD) $(PYTEST) -m "not browser and not slow" $(UNITS) $$tests; fi

test: lint types test-units test-lessons test-browser ## everything; provides the browser itself

test-units: install ## the unit tests alone
	$(ONE_THREAD) $(PYTEST) -m "not browser" --ignore=tests/browser $(UNITS)

test-lessons: install ## all lessons with the quick budget
	$(ONE_THREAD) SRLAB_BUDGET=quick $(LESSONS) $(NOTEBOOKS)

test-browser: install ## the widgets in a real Chromium
	$(VENV_PYTHON) -m tests.browser.provide
	$(ONE_THREAD) SRLAB_BUDGET=quick $(PYTEST) tests/browser -m browser $(BROWSERS)

test-gpu: install ## all lessons with the full budget; fails without a GPU
	@$(VENV_PYTHON) -c "import sys, torch; torch.cuda.is_available() or sys.exit('make test-gpu needs a CUDA GPU, but torch finds none; make test runs without one.')"
	SRLAB_BUDGET=full $(LESSONS)

lessons: install ## execute all lessons, store their outputs and minutes
	$(VENV_PYTHON) -m tests.lesson_cells store

app: install ## the Loss Lab as a page of its own (LAB_ARGS=...)
	$(BIN)/srlab app my-lessons $(LAB_ARGS)

site: install ## the course as static pages, in site/
	$(BIN)/srlab site site

bundle: install ## a folder that installs without a network (BUNDLE_ARGS="--extra app")
	$(VENV_PYTHON) -m tests.bundle bundle $(BUNDLE_ARGS)

kit: install ## the labs' JavaScript: lint, format and bundle; needs Node 20
	cd srlab/widgets/kit && npm ci --no-audit --no-fund
	$(VENV_PYTHON) -m tests.kit lint --fix
	$(VENV_PYTHON) -m tests.kit

sync: install ## rewrite the lessons' build cells from the package
	$(VENV_PYTHON) -m tests.lesson_cells sync

lint: install ## style of code, notebooks and workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(VENV_PYTHON) -m tests.kit lint
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

types: install ## type check of the package
	$(BIN)/mypy

bench: install ## the figures of tests/bench/README.md (BENCH_ARGS=...)
	$(VENV_PYTHON) -m tests.bench $(BENCH_ARGS)

lock: install ## bring requirements.lock up to date with pyproject.toml
	$(UV) pip compile pyproject.toml --universal --all-extras --python-version 3.11 \
		--no-emit-index-url --generate-hashes --quiet -o requirements.lock

sums: ## list the assets' checksums anew
	cd srlab/assets && find . -type f ! -path ./SHA256SUMS ! -path ./README.md | sed 's|^\./||' \
		| LC_ALL=C sort | xargs sha256sum > SHA256SUMS

clean: ## remove .venv and every cache, never what you trained
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find srlab tests lessons -name __pycache__ -prune -exec rm -rf {} +

install: .venv/installed

# The stamp is renamed into place at the very end. An install that was cut off
# leaves "installing" behind, and the next one begins with a new .venv.
.venv/installed: requirements.lock pyproject.toml .jupyter/overrides.json \
		$(wildcard .jupyter/etc/*/*.json .jupyter/labextension/*.json .jupyter/labextension/static/*)
	@$(MAKE) --no-print-directory check-python
	@if test -e .venv/installing || ! $(UV) --version 2>&1 | grep -qF "uv $(UV_VERSION)"; then \
		$(PYTHON) -m venv --clear .venv && \
		$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	fi
	@touch .venv/installing
	$(UV) pip install --python $(VENV_PYTHON) --require-hashes -r requirements.lock
	$(UV) pip install --python $(VENV_PYTHON) --no-deps -e .
	@mkdir -p .venv/share/jupyter/lab/settings
	@cp .jupyter/overrides.json .venv/share/jupyter/lab/settings/overrides.json
	@mkdir -p .venv/etc/jupyter
	@cp -R .jupyter/etc/. .venv/etc/jupyter/
	@mv .venv/installing .venv/installed

check-python:
	@command -v $(PYTHON) > /dev/null || { echo "srlab needs Python 3.11 or later, but no $(PYTHON) is here; install it, or name one: make lab PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('srlab needs Python 3.11 or later, but $(PYTHON) is %d.%d; name a newer one: make lab PYTHON=/path/to/python.' % sys.version_info[:2])"
	@$(PYTHON) -c "import ensurepip, venv" 2> /dev/null || { echo "$(PYTHON) cannot make a virtual environment, since it comes without ensurepip; install it (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
