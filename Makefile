# Each target does all set-up by itself; only Python 3.11 or newer, make and git need to be there.

SHELL := /bin/bash
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo run test test-long soak lint audit bench bench-planning bench-sending bench-desk bench-scale clean

help:
	@echo "make demo       the whole job on the sandbox, no account needed"
	@echo "make run        arsync run: sync, plan, dispatch, write back, once"
	@echo "make test       every test but the long ones (ARGS='...' goes to pytest)"
	@echo "make test-long  long runs"
	@echo "make soak       storms: kills, suspensions and faults by the thousand (STORMS=2000 FROM=1 AT_ONCE=16)"
	@echo "make lint       ruff, mypy, import-linter, alembic check"
	@echo "make audit      whether a dependency is known to be vulnerable, where the advisory service can be reached"
	@echo "make bench      backfill against the baseline, as ratios"
	@echo "make bench-planning  planning 200,000 invoices against a plain loop, and a year simulated"
	@echo "make bench-sending   ten thousand messages against a bare loop"
	@echo "make bench-desk      fifty people at the desk of 100,000 invoices while they are synced"
	@echo "make bench-scale     500 companies in one night: 1, 2 and 4 workers on one PostgreSQL"
	@echo "make clean      removes what make and the tools have made; never a database, a key or a message"

demo: .venv/.stamp-run
	@$(BIN)/arsync demo $(ARGS)

run: .venv/.stamp-run
	@$(BIN)/arsync run $(ARGS)

bench: .venv/.stamp-run
	@$(BIN)/python benchmarks/backfill.py $(ARGS)

bench-planning: .venv/.stamp-run
	@$(BIN)/python benchmarks/planning.py $(ARGS)

bench-sending: .venv/.stamp-run
	@$(BIN)/python benchmarks/sending.py $(ARGS)

bench-desk: .venv/.stamp-dev
	@PYTHONPATH=. $(BIN)/python benchmarks/desk.py $(ARGS)

bench-scale: .venv/.stamp-dev
	@PYTHONPATH=. $(BIN)/python benchmarks/scale.py $(ARGS)

test: .venv/.stamp-dev
	@$(BIN)/pytest -n 3 --dist worksteal -m "not long and not soak" $(ARGS)

test-long: .venv/.stamp-dev
	@$(BIN)/pytest -n 2 -m long --timeout 7200 $(ARGS)

soak: .venv/.stamp-dev
	@ARSYNC_STORMS=$(or $(STORMS),2000) ARSYNC_STORM_FROM=$(or $(FROM),1) \
	$(BIN)/pytest -n $(or $(AT_ONCE),16) -m soak --timeout 0 tests/acceptance/test_storm.py $(ARGS)

lint: .venv/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/alembic -x url=sqlite:///$$folder/check.db upgrade head; \
	$(BIN)/alembic -x url=sqlite:///$$folder/check.db check

audit: .venv/.stamp-dev .venv/.stamp-audit
	@.venv/audit/bin/python tools/audit.py .venv/audit/bin/pip-audit $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: once, and again when pyproject.toml changes -----------------------------------------------------------

.venv/.stamp-run: pyproject.toml | .venv/.stamp-python
	@echo "installing arsync ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.stamp-dev: pyproject.toml | .venv/.stamp-python
	@echo "installing arsync and what its tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch .venv/.stamp-run $@

.venv/.stamp-audit: | .venv/.stamp-python
	@$(BIN)/python -m venv .venv/audit
	@.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.7'
	@touch $@

.venv/.stamp-python:
	@for name in python3.13 python3.12 python3.11 python3 python; do \
	  if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python="$$name"; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "arsync needs Python 3.11 or newer with venv and pip (on Debian or Ubuntu: apt install python3-venv)" >&2; \
	  exit 1; \
	fi; \
	echo "making .venv with $$($$python --version)"; \
	"$$python" -m venv .venv && touch $@
