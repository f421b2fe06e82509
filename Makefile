# What can be done here. `make` alone lists it.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
PEER := .venv-arcticdb
PIP := -m pip install --quiet --disable-pip-version-check
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types bench bench-s3 arcticdb-env clean

help:  ## list these verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## install into .venv and run examples/quickstart.py
	$(VENV)/bin/python examples/quickstart.py

test: $(VENV)/.dev  ## run the tests that take seconds (ARGS='-k name' to choose, COLDFRAME_TESTS=ci for all)
	$(VENV)/bin/python -m pytest -n 2 $(ARGS)

lint: $(VENV)/.dev  ## ruff, every rule
	$(VENV)/bin/ruff check .

format: $(VENV)/.dev  ## let ruff repair what it can
	$(VENV)/bin/ruff check --fix .

types: $(VENV)/.dev  ## mypy --strict on src/
	$(VENV)/bin/mypy

bench: $(PEER)/.ready  ## measure against ArcticDB: benchmarks/results.md (ARGS='--quick --only read')
	$(PEER)/bin/python -m benchmarks $(ARGS)

bench-s3: $(PEER)/.ready  ## the same in a bucket, on Ceph: benchmarks/results_s3.md (ARGS='--quick --only append')
	$(PEER)/bin/python -m benchmarks.objects $(ARGS)

arcticdb-env: $(PEER)/.ready  ## the environment with both libraries that `bench` and tests/differential use

clean:  ## remove the environments and caches
	rm -rf $(VENV) $(PEER) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Each stamp is newer than pyproject.toml as long as what it stands for is installed as declared there. Environments
# are built once; the package itself is installed editable, so that sources need no new installation.
$(VENV)/bin/python:
	@test -n '$(PYTHON)' || { echo 'coldframe needs Python 3.11 or newer; say where: make PYTHON=/path/to/python3' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP) -e '.[test,lint]'
	@touch $@ $(VENV)/.demo

$(PEER)/bin/python:
	@test -n '$(PYTHON)' || { echo 'coldframe needs Python 3.11 or newer; say where: make PYTHON=/path/to/python3' >&2; exit 1; }
	$(PYTHON) -m venv $(PEER)

$(PEER)/.ready: pyproject.toml | $(PEER)/bin/python
	$(PEER)/bin/python $(PIP) -e '.[arcticdb]'
	@touch $@
