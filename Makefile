# Two commands for newcomers: `make replay` and `make test`. Everything lands in .venv and core/target; as root, missing
# system programs are installed too, named first: `make setup SYSTEM=no` leaves the system as it is.
SHELL := /bin/bash
PYTHON ?= python3
SYSTEM ?= yes
RECEIPTS ?= runs/proofs
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
RUST_SOURCES := $(shell find core -name target -prune -o \( -name '*.rs' -o -name 'Cargo.toml' -o -name Cargo.lock -o -name pyproject.toml -o -name '*.py' -o -name '*.pyi' \) -print 2>/dev/null)

.PHONY: vllm setup lock replay test check prove fmt clean check-python check-rust build-tests test-rust test-python test-beside test-alone

setup: $(VENV)/.installed

$(VENV)/.system: scripts/system-tools.sh
ifeq ($(SYSTEM),no)
	@echo "setup: SYSTEM=no, so no system program is installed; \`curserve-bench doctor\` says what is missing"
else
	@echo "setup 1/4: system programs and an environment in $(VENV)"
	@bash scripts/system-tools.sh
endif
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

# What others wrote comes first, by the lock's digests and as wheels, so that nothing of it is built or run on the way in;
# then ours, which may fetch nothing.
# Bytecode is left to whoever imports a module first: most are never.
$(VENV)/.locked: $(VENV)/.system requirements.lock
	@echo "setup 2/4: Python packages by the digests of requirements.lock"
	@$(BIN)/pip install -q --no-compile --require-hashes --only-binary :all: --no-deps -r requirements.lock
	@touch $@

$(VENV)/.core: $(VENV)/.locked $(RUST_SOURCES)
	@echo "setup 3/4: the Rust core, as a Python module and as a program: about three minutes"
	@rm -rf $(VENV)/wheels
	@$(BIN)/pip wheel -q --no-index --no-deps --no-build-isolation -w $(VENV)/wheels ./core/py ./core/cli
	@$(BIN)/pip install -q --no-index --no-deps --force-reinstall $(VENV)/wheels/*.whl
	@touch $@

$(VENV)/.installed: $(VENV)/.core pyproject.toml
	@echo "setup 4/4: curserve-bench itself"
	@$(BIN)/pip install -q --no-index --no-deps --no-build-isolation -e .
	@$(BIN)/pip check
	@touch $@

# After a change of what pyproject.toml or scripts/locks/*.in ask for; LOCK=--upgrade takes the newest of everything.
lock:
	bash scripts/lock.sh $(LOCK)

replay: setup
	$(BIN)/curserve-bench replay --rtt 150ms

check: check-python check-rust

check-python: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-rust: setup
	cd core && cargo fmt --all --check
	cd core && cargo clippy --release --all-targets --locked -q -- -D warnings

test: test-rust test-python

# Examples are compiled by clippy; whoever runs one builds it.
build-tests: setup
	cd core && cargo test --release --locked -q --lib --bins --tests --no-run

test-rust: build-tests
	cd core && cargo test --release --locked -q --lib --bins --tests
	cd core && cargo test --release --locked -q --doc

test-python: test-beside test-alone

# Most tests wait for a process or a clock, so two files at a time, the longest first.
test-beside: setup
	$(BIN)/pytest tests -m 'not prove and not alone' -n 2 --dist loadfile --no-loadscope-reorder

test-alone: setup
	$(BIN)/pytest tests -m 'not prove and alone'

# Receipts go where git does not look; RECEIPTS=results/proofs renews those that the documents cite.
prove: setup
	CURSERVE_RECEIPTS=$(RECEIPTS) $(BIN)/pytest tests -m prove -p no:cacheprovider

# The real vLLM server, in an environment of its own (7 GB): for `--llm vllm` and `--engine vllm`.
vllm: setup
	bash scripts/vllm-venv.sh

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd core && cargo fmt --all

clean:
	rm -rf $(VENV) .venv-vllm .tools core/target
