# `make run` and `make test` need only Python 3.11 to 3.13 and make; the rest they install here.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

# A worker for each processor, and a file whole, for the sake of what its tests share. They begin in
# the usual order, in which the browser's tests, the longest, come first.
EVERY_TEST := -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.DEFAULT_GOAL := help
.PHONY: help run lab test lint format assets clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.ready-run ## Open the explainer in the browser (SERVE="--port 9000 --no-browser" to change how)
	$(PY) -m explainer.cli serve $(SERVE)

lab: $(VENV)/.ready-run ## Open the notebooks in JupyterLab
	$(PY) -m explainer.cli lab

test: $(VENV)/.ready-test ## Run every test (TESTS="tests/test_runs.py -k cancel" for some)
	$(PY) -m pytest $(or $(TESTS),$(EVERY_TEST))

lint: $(VENV)/.ready-test ## Check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.ready-test ## Put the sources into the house style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

assets: $(VENV)/.ready-test ## Make again what the pages open with, from the weights
	$(PY) scripts/make_assets.py

clean: ## Remove what was installed and built here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# A stamp is older than these only when there may be something new to install.
$(VENV)/.ready-%: pyproject.toml constraints.txt scripts/prepare.py
	$(PYTHON) scripts/prepare.py $*
	@touch $@
