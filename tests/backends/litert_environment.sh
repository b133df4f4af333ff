#!/usr/bin/env bash
# Makes an environment with litert-torch, whose requirements conflict with those of others: tests of LiteRT from PyTorch skip without it.
#   bash tests/backends/litert_environment.sh [folder]
# The folder is .venv-litert of the checkout, where the tests look for it; $NAV_LITERT_PYTHON names another interpreter.
# This project is not installed there: its child brings itself.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/.venv-litert}
unset PIP_CONSTRAINT  # tox sets that of the project's own environment
python3 -m venv "$folder"
# The PyTorch that writes the program also reads it. From an index of wheels for processors it has no CUDA, which is gigabytes.
torch=$(sed -n 's/^torch==/torch==/p' "$root/constraints.txt")
"$folder/bin/pip" install -q "litert-torch==0.10.0" "${torch:-torch}" cattrs filelock packaging psutil PyYAML
