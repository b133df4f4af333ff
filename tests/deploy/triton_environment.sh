#!/usr/bin/env bash
# Makes the environment in which Triton's server, its client and PyTriton are: tests of deployment skip without it.
#   bash tests/deploy/triton_environment.sh [folder]
# The folder is .venv-triton of the checkout, where these tests look for it; $NAV_TRITON_PYTHON names another interpreter.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/.venv-triton}
unset PIP_CONSTRAINT  # tox sets that of the project's own environment
python3 -m venv "$folder"
"$folder/bin/pip" install -q -r "$root/tests/deploy/triton-requirements.txt" -e "$root"
