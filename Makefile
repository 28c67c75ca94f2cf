# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help demo test lint setup clean
help:            ## what can be made here
	@grep -E '^[a-z]+: .*##|^[a-z]+:  +##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(STAMP)   ## the story, end to end, on real engines
	@sh .ci/system demo
	$(BIN)/envclone demo

test: $(STAMP)   ## lint, types and every test
	@sh .ci/system test
	$(BIN)/ruff check envclone hooks tests
	$(BIN)/ruff format --check envclone hooks tests
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(STAMP)   ## style and types only
	$(BIN)/ruff check envclone hooks tests
	$(BIN)/ruff format --check envclone hooks tests
	$(BIN)/mypy

setup: $(STAMP)  ## the virtual environment only

$(STAMP): pyproject.toml .ci/system
	@sh .ci/system venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:           ## remove what was installed and built here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
