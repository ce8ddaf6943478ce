#!/usr/bin/env bash
# Write the locks anew: each package by its version and by the digests of its files, and no address of a registry.
#
#   requirements.lock            what builds, runs and tests the project: pyproject.toml
#   scripts/locks/vllm-*.lock    the environment of `make vllm`, for this machine's architecture: vllm.in
#   scripts/locks/tools.lock     uv, which writes these, and pip-audit: tools.in
#   scripts/locks/fff/           the peer of `bench search` from npm: package.json
#
# A version stays as it is unless pyproject.toml or the .in file no longer allows it; `--upgrade` takes the newest of all,
# `--upgrade-package NAME` of one. Wheels only: to build a source distribution would run code that no digest here covers.
set -euo pipefail
cd "$(dirname "$0")/.."
locks=scripts/locks venv=.tools/lock
test -x $venv/bin/python || "${PYTHON:-python3}" -m venv $venv
$venv/bin/pip install -q --require-hashes --only-binary :all: --no-deps -r $locks/tools.lock
export UV_CUSTOM_COMPILE_COMMAND="make lock"
lock() { $venv/bin/uv pip compile -q --python-version 3.11 --generate-hashes --only-binary :all: "$@" >/dev/null; }

lock --universal --extra dev --extra figures --group build --no-emit-package curserve --no-emit-package curserve-core \
    pyproject.toml -o requirements.lock "$@"
# The CUDA packages that torch asks for differ from machine to machine, so this one is no lock for all.
lock --python-platform "$(uname -m)-manylinux_2_35" --override $locks/vllm-overrides.in \
    $locks/vllm.in -o "$locks/vllm-$(uname -m).lock" "$@"
lock --universal $locks/tools.in -o $locks/tools.lock "$@"
if command -v npm >/dev/null; then
    npm install --prefix $locks/fff --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --silent
else
    echo "lock: no npm here; $locks/fff is left as it is" >&2
fi
