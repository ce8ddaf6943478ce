#!/usr/bin/env bash
# Make .venv-vllm: the real vLLM server on this machine's CPU, apart from the project's own environment, because
# it pins torch and a hundred other packages. About 7 GB on disk; 2 to 6 minutes.
# Its versions and digests stand in scripts/locks/vllm-*.lock, which `make lock` writes for this machine's architecture.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-vllm lock=scripts/locks/vllm-$(uname -m).lock
python=${PYTHON:-python3}

if ! test -f "$lock"; then
    echo "vllm: there is no $lock; \`make lock\` writes it on a machine of this architecture" >&2
    exit 1
fi
test -x $venv/bin/python || "$python" -m venv $venv
bin=$venv/bin
# Bytecode is left to whoever imports a module first: of twenty thousand files most are never.
$bin/pip install -q --no-compile --require-hashes --only-binary :all: --no-deps -r "$lock"
# The project itself, so that vLLM finds its entry points, with the core as `make setup` built it: its wheel is of any Python 3.
$bin/pip install -q --no-index --no-deps --force-reinstall .venv/wheels/curserve_core-*.whl
$bin/pip install -q --no-index --no-deps --no-build-isolation -e .
touch $venv/.installed
