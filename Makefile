# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LOCK   := requirements.lock
PIP    := pip install --quiet --disable-pip-version-check
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0  # many tests wait for servers

.PHONY: help demo test check lint setup lock test-latest clean
help:            ## what can be made here
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(STAMP)   ## the story, end to end, on real engines
	@sh .ci/system demo
	@$(BIN)/python -m envclone.compiled
	$(BIN)/envclone demo --page demo.html

test: $(STAMP)   ## lint, types and every test
	@sh .ci/system test & system=$$!; \
		$(BIN)/python -m envclone.compiled & loops=$$!; \
		ENVCLONE_BOUNDSCHECK=1 $(BIN)/python -m envclone.compiled & checked=$$!; \
		$(MAKE) --no-print-directory lint && wait $$system && wait $$loops && wait $$checked
	$(BIN)/pytest $(WORKERS)

check: lint      ## lint, types, unit tests and fakes: two minutes, no engine, no root
	$(BIN)/pytest $(WORKERS) tests/unit

lint: $(STAMP)   ## style and types only
	$(BIN)/ruff check envclone hooks tests
	$(BIN)/ruff format --check envclone hooks tests
	$(BIN)/mypy

setup: $(STAMP)  ## the virtual environment and its compiled loops only
	$(BIN)/python -m envclone.compiled

$(STAMP): pyproject.toml $(LOCK) .ci/system
	@sh .ci/system venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) --require-hashes --no-deps -r $(LOCK)
	$(BIN)/$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q envclone  # where no process may write these, each would compile all of it
	@touch $@

lock:            ## resolve pyproject.toml again into the lock, with hashes, for every supported Python
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/$(PIP) uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --extra dev \
		--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --output-file $(LOCK)
	rm -rf $(VENV)-lock

test-latest:     ## every test with today's newest versions instead of the locked ones
	@sh .ci/system venv
	@sh .ci/system test
	$(PYTHON) -m venv $(VENV)-latest
	$(VENV)-latest/bin/$(PIP) --upgrade --upgrade-strategy eager -e '.[dev]'
	$(VENV)-latest/bin/mypy
	ENVCLONE_UNLOCKED=1 $(VENV)-latest/bin/pytest $(WORKERS)

clean:           ## remove what was installed and built here
	rm -rf demo.html $(VENV) $(VENV)-latest $(VENV)-lock build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
