#!/usr/bin/env bash
# Makes an environment of another version of Python: tests of the formats that one makes and runs skip without it.
#   bash tests/isolation/other_python_environment.sh [folder]
# The folder is .venv-other-python of the checkout, where the tests look for it; $NAV_OTHER_PYTHON names another interpreter.
# This project is not installed there: its child brings itself.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/.venv-other-python}
unset PIP_CONSTRAINT  # tox sets that of the project's own environment
for python in python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[32].*/bin/python3; do
  if "$python" --version > /dev/null 2>&1; then break; fi
done
"$python" -m venv "$folder"
"$folder/bin/pip" install -q -c "$root/constraints.txt" \
  numpy ml_dtypes cattrs filelock packaging psutil PyYAML onnx onnxruntime openvino
