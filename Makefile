# `make help` says what each target does.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TESTS := .venv/.tests

# Debian and Ubuntu keep a part of Python in a package of its own.
VENV = set -- apt-get install --yes --no-install-recommends $(notdir $(PYTHON))-venv; \
  if [ "$$(id -u)" = 0 ]; then apt-get update && "$$@"; \
  else echo "Python's venv must be installed first. On Debian or Ubuntu: sudo $$*"; exit 1; fi

.DEFAULT_GOAL := help
.PHONY: help lab course check test test-all agreement lint record screenshots

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: $(READY) ## open the course in JupyterLab, with the engine that works
	$(BIN)/layerlab lab

course: $(READY) ## run the labs without a browser; ENGINE=… and LAB=… choose; writes course/report/
	cd course && ../$(BIN)/layerlab course $(if $(ENGINE),--engine $(ENGINE)) $(if $(LAB),--lab $(LAB))

check: $(TESTS) ## lint, types, unit tests: no engine, no network
	$(BIN)/python -m tests check

test: $(TESTS) ## check, then real engines, the labs on each, a real browser
	$(BIN)/python -m tests test

test-all: $(TESTS) ## the slow suites: all, or SUITE=agreement|bench|binder|context|equal|interrupts|kills|generations, and ENGINE=…
	$(BIN)/python -m tests all $(if $(SUITE),--suite $(SUITE)) $(if $(ENGINE),--engine $(ENGINE))

agreement: $(TESTS) ## the cache model against every engine: N=… random edit sequences each, or ENGINE=…
	$(BIN)/python -m tests all --suite agreement --sequences $(or $(N),50) $(if $(ENGINE),--engine $(ENGINE))

lint: $(TESTS) ## ruff and mypy, warnings are errors
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy

record: $(TESTS) ## record the golden files anew from the real tools
	$(BIN)/python -m tests.golden.record

screenshots: $(TESTS) ## take the pictures of lab 01 in docs/images anew
	$(BIN)/python -m tests.browser.screenshots

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Layerlab needs Python 3.11 to 3.13; this is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(VENV); }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	@touch $@

$(TESTS): $(READY)
	$(BIN)/pip install --quiet -e '.[test,lint]'
	@touch $@
