# Two commands for newcomers: `make replay` and `make test`. Everything lands in .venv and core/target.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
RUST_SOURCES := $(shell find core -name target -prune -o \( -name '*.rs' -o -name 'Cargo.toml' -o -name Cargo.lock -o -name pyproject.toml -o -name '*.py' -o -name '*.pyi' \) -print 2>/dev/null)

.PHONY: vllm setup replay test check prove fmt clean test-python test-rust

setup: $(VENV)/.installed

$(VENV)/.system: scripts/system-tools.sh
	bash scripts/system-tools.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.system $(RUST_SOURCES)
	$(BIN)/pip install -q -c constraints.txt maturin
	$(BIN)/pip install -q --no-build-isolation --no-deps --force-reinstall ./core/py ./core/cli
	@touch $@

$(VENV)/.installed: $(VENV)/.core pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt hatchling editables
	$(BIN)/pip install -q --no-build-isolation -c constraints.txt -e '.[dev,figures]'
	@touch $@

replay: setup
	$(BIN)/curserve-bench replay --rtt 150ms

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd core && cargo fmt --all --check
	cd core && cargo clippy --release --all-targets --locked -q -- -D warnings

test: test-rust test-python

test-rust: setup
	cd core && cargo test --release --locked -q

test-python: setup
	$(BIN)/pytest tests -m 'not prove'

prove: setup
	$(BIN)/pytest tests -m prove -p no:cacheprovider

# The real vLLM server, in an environment of its own (7 GB): for `--llm vllm` and `--engine vllm`.
vllm: setup
	bash scripts/vllm-venv.sh

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd core && cargo fmt --all

clean:
	rm -rf $(VENV) .venv-vllm .tools core/target
