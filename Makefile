# Everything starts from a bare clone: Python >= 3.11, pip, make and git are enough.
PY ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FLASK := $(BIN)/flask --app wsgi
DATABASE := $(BIN)/python -c 'import sys; from app.embedded_postgres import main; sys.exit(main(sys.argv[1:]))'
HOST ?= 127.0.0.1
PORT ?= 8000
TESTS ?= tests
WORKERS ?= auto
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
.DEFAULT_GOAL := help
.PHONY: help demo serve worker migrate test benchmarks screenshots check lint types imports migrations format lock strings start stop clean

help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## load the reference scenario, run one night of the market and print what came out
	$(FLASK) demo

serve: $(VENV)/.run migrate ## serve console, portal and API on http://127.0.0.1:8000
	$(BIN)/gunicorn --worker-class gthread --workers 2 --threads 8 --bind $(HOST):$(PORT) wsgi:app

worker: $(VENV)/.run migrate ## run the queue: the nightly round, expiries, reports
	$(FLASK) worker

migrate: $(VENV)/.run ## bring the database to the newest schema
	$(FLASK) db upgrade

# Files are handed out in their order, so that those of a browser begin and short ones come last: by their number of
# tests, as is the habit of pytest-xdist, a file of one long test would be the last, and one worker alone be busy with it.
test: $(VENV)/.test ## run all tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

benchmarks: $(VENV)/.bench ## our clearing against general tools: table, JSON and curves (SIZES="10k 100k", METHODS=...)
	@mkdir -p build
	nice $(BIN)/python -m benchmarks $(if $(SIZES),--sizes $(SIZES)) --json build/benchmarks.json --picture build/benchmarks.svg

screenshots: $(VENV)/.test ## the main pages on the demo's data as pictures in build/screenshots, with times and weights
	$(BIN)/python -m tests.browser.screenshots

check: lint types imports migrations ## everything but the tests: style, types, import directions, migrations

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

migrations: $(VENV)/.test ## migrations go up, agree with the models and come down again
	$(BIN)/python -m pytest -q tests/functional/test_migrations.py

format: $(VENV)/.test ## put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.test ## choose the versions anew; a plain list of name==version, no address of a registry
	$(PIP) uv
	$(BIN)/uv pip compile -q --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --strip-extras --all-extras -o constraints.txt pyproject.toml

strings: $(VENV)/.test ## bring the catalogues of translations up to the strings in code and templates
	@mkdir -p build
	$(BIN)/pybabel -q extract -F pyproject.toml -k lazy_gettext --no-location --omit-header -o build/messages.pot app
	$(BIN)/pybabel -q update --init-missing --no-fuzzy-matching --no-wrap -i build/messages.pot -d app/translations -l zh_Hans_CN

stop: $(VENV)/.run ## stop the embedded database
	$(DATABASE) stop

start: $(VENV)/.run ## start the embedded database and print its address
	$(DATABASE) start

clean: ## stop the database, then remove the environment and all local data
	[ ! -x $(BIN)/python ] || $(DATABASE) stop
	rm -rf $(VENV) $(VENV)-boot var build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Some systems ship Python without ensurepip: then virtualenv, put beside the environment, makes it.
$(VENV)/bin/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PY) is older than 3.11: make PY=python3.12 ..."; exit 1; }
	$(PY) -m venv $(VENV) || { rm -rf $(VENV) && $(PY) -m pip install -q --target $(VENV)-boot virtualenv && \
	  PYTHONPATH=$(VENV)-boot $(PY) -m virtualenv -q $(VENV); }

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e '.[bench]'
	@touch $@ $(VENV)/.run
