# Everything goes through here; `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test contract crash fuzz check fmt docs bench package

VENV := .venv
BIN := $(VENV)/bin
# uv from PATH, else our own copy from PyPI in .uv/.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)

help:
	@echo "run      install what is needed and serve API and console on 127.0.0.1:5000"
	@echo "test     run every test (SQLite, and PostgreSQL where its programs are found)"
	@echo "contract run the vendor's contract test with as many examples as the vendor, then strictly with 200 (an hour)"
	@echo "crash    kill -9 the server two hundred times while it writes (minutes)"
	@echo "fuzz     throw changed configurations at the engine for SECONDS (600), bad input and EXAMPLES (1000) at each operation"
	@echo "check    lint, types, import layers"
	@echo "fmt      format and sort imports"
	@echo "docs     write the documents that come from the code: OpenAPI, permissions, compatibility"
	@echo "bench    measure, as ratios in one run"
	@echo "package  build the wheel into dist/"

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

$(VENV)/.synced: pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --quiet
	@touch $@

run: $(VENV)/.synced
	$(BIN)/nectary serve

test: $(VENV)/.synced
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

contract: $(VENV)/.synced
	CONTRACT_EXAMPLES=100 CONTRACT_STRICT_EXAMPLES=200 CONTRACT_PARTS=8 $(BIN)/pytest -rP tests/contract/test_vendor.py $(ARGS)

crash: $(VENV)/.synced
	CRASH_ROUNDS=200 $(BIN)/pytest -rP tests/test_crash.py $(ARGS)

fuzz: $(VENV)/.synced
	$(BIN)/python -m benchmarks.fuzz_config --seconds $(or $(SECONDS),600) $(ARGS)
	WALK_ALL=1 $(BIN)/pytest tests/walks/test_bad_input.py
	DESCRIBED_EXAMPLES=$(or $(EXAMPLES),1000) $(BIN)/pytest -rP -n auto --dist load tests/contract/test_described.py

check: $(VENV)/.synced
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.synced
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.synced
	$(BIN)/python -m tests.contract.documents

bench: $(VENV)/.synced
	$(BIN)/python -m benchmarks

package: $(VENV)/.synced
	$(UV) build --quiet --out-dir dist
