#!/usr/bin/env bash
# Makes the environment with an ONNX Runtime that has another provider than the CPU's: tests of split sessions skip without it.
#   bash tests/backends/openvino_environment.sh [folder]
# The folder is .venv-openvino of the checkout, where these tests look for it; $NAV_OPENVINO_PYTHON names another interpreter.
# Not the plug-in onnxruntime-ep-openvino: it finds no device on a processor that is not Intel's.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/.venv-openvino}
unset PIP_CONSTRAINT  # tox sets that of the project's own environment
python3 -m venv "$folder"
"$folder/bin/pip" install -q onnxruntime-openvino==1.24.1 onnx -e "$root"
