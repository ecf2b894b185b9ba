# Every target sets up what it needs: `make demo` or `make test` is the only command in a fresh clone.
#   make test PYTHON=/path/to/python3.13 VENV=.venv-3.13     another interpreter, beside the usual environment
.PHONY: help demo test check prove mutants seed bench docs lock env env-core clean
.DEFAULT_GOAL := help

PYTHON ?=
VENV ?= .venv
JOBS ?= 2
# What to hand to pytest, for example: make test ARGS="tests/unit -k budget"
ARGS ?=

BIN = $(VENV)/bin
# The first Python that runs starts tools/env.py (a pyenv shim may be on the PATH and fail); that script then
# looks for one that suits, and says what is missing when there is none.
SETUP = for p in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 7))' >/dev/null 2>&1; then \
		exec "$$p" tools/env.py --venv "$(VENV)" $(1); fi; done; \
	echo "No Python was found. Jackstay needs CPython 3.11 to 3.14; on Debian or Ubuntu: apt-get install python3 python3-venv." >&2; exit 1

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: env-core  ## a crew and a flow, then a run that is killed and resumed
	@$(BIN)/python -m jackstay demo

test: env  ## the tests, ten minutes at most
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations=10 $(ARGS)

check: env  ## style, types, layers, the compatibility page, and the size report
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/checks.py
	$(BIN)/python tools/compatibility.py --check

prove: env  ## the full counts (kills, graphs, limits); writes a report under bench/proofs
	$(BIN)/python tools/prove.py $(ARGS)

mutants: env  ## switches off 30 promised behaviours, one at a time, and sees their tests fail (JACKSTAY_MUTANTS_SEED repeats)
	$(BIN)/python tools/mutants.py $(ARGS)

seed: env  ## one row per item of the seed: pass, or which issue will close it
	@$(BIN)/python tools/seed.py

bench: env  ## the figures of the README, one script after the other
	@set -e; for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

docs: env  ## links between pages resolve, code blocks run
	$(BIN)/python tools/docs.py
	@if [ -d tests/docs ]; then $(BIN)/python -m pytest tests/docs; fi

# For maintainers; wants uv on the PATH. The locks hold for CPython 3.11 to 3.14 on every platform (docs/adr/0001).
UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
lock:  ## resolve the dependencies anew (UPGRADE=--upgrade takes newer releases)
	$(UV_COMPILE) $(UPGRADE) pyproject.toml --extra server --extra postgres --extra otel --extra metrics --extra mcp --extra pii --extra anthropic --extra bedrock --extra google --extra mistral --group dev -o requirements.lock
	$(UV_COMPILE) pyproject.toml --constraint requirements.lock -o requirements-core.lock
	$(UV_COMPILE) --group build --constraint requirements.lock -o requirements-build.lock

env:
	@$(call SETUP,dev)

env-core:
	@$(call SETUP,core)

clean:  ## remove the environment and every cache
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
