# Carillon's verbs. A fresh machine needs git, make and Python 3.11; everything else lands in .venv.
#
#   make demo    people, templates and notifications on every channel, and what became of each
#   make up      the whole platform in the foreground until Ctrl-C (PORT, CARILLON_HOME, … are honoured)
#   make test    the tests, on embedded servers unless DATABASE_URL and REDIS_URL name others
#   make check   what CI runs: format, lint, types, import contracts, tests
#   make bench   what a notification costs    make chaos  nothing is lost, whoever dies or fails
#   make docs    write the generated pages    make lock   compile requirements*.in to hashed locks
#   make words   compile the translations of the pages for people

VENV ?= .venv
PYTHON ?= python3.11
PYTEST_ARGS ?=
PYTEST_WORKERS ?= 2
BENCH_ARGS ?=
CHAOS_ARGS ?=

RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
UV := $(VENV)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help demo up test check static bench chaos docs words lock

help:
	@sed -n '3,10s/^#  //p' Makefile

demo: $(RUN)
	@$(PY) manage.py demo

up: $(RUN)
	@exec $(PY) manage.py up

test: $(DEV)
	@$(PY) -m pytest --ignore=tests/bench --ignore=tests/chaos -n $(PYTEST_WORKERS) --no-loadscope-reorder $(PYTEST_ARGS)

check: static test

static: $(DEV)
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy .
	@$(VENV)/bin/lint-imports

bench: $(DEV)
	@$(PY) -m tests.bench $(BENCH_ARGS)

chaos: $(DEV)
	@$(PY) -m tests.chaos $(CHAOS_ARGS)

docs: $(DEV)
	@$(PY) manage.py write_docs

words: $(DEV)
	@$(VENV)/bin/pybabel --quiet compile --domain=django --directory=notify/locale

lock: $(DEV)
	@$(UV) requirements.in -o requirements.txt
	@$(UV) -c requirements.txt requirements-embedded.in -o requirements-embedded.txt
	@$(UV) requirements-dev.in -o requirements-dev.txt

# --- .venv: made once, brought up to date when a lock changes

$(DEV): $(RUN) requirements-dev.txt
	@echo "Installing what tests and checks need …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(RUN): requirements.txt requirements-embedded.txt | $(PY)
	@echo "Installing Carillon's packages into $(VENV) (once; under a minute on most lines) …"
	@$(PIP) -r requirements.txt -r requirements-embedded.txt
	@touch $@

$(PY):
	@python=""; \
	for each in "$(PYTHON)" python3.11 python3 python; do \
	  if "$$each" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then python="$$each"; break; fi; \
	done; \
	if test -z "$$python"; then \
	  echo "Carillon needs Python 3.11, and none was found." >&2; \
	  echo "Install it (Debian: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.11)," >&2; \
	  echo "or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make virtual environments: its module ensurepip is missing." >&2; \
	  echo "Install it (Debian and Ubuntu: apt-get install python3.11-venv), or name another: make PYTHON=…" >&2; exit 1; \
	fi; \
	"$$python" -m venv "$(VENV)"
