#!/usr/bin/env bash
# Brings litert-torch, whose requirements conflict with those of others: tests of LiteRT from PyTorch skip without it.
#   bash tests/backends/litert_environment.sh [folder]
# The folder is .venv-litert of the checkout: packages alone, 300 MB, which the tests' own interpreter has beside those of this one.
# With what litert-torch requires it would be 2 GB, of which a conversion imports PyTorch, JAX and torchao, which are here. The others (transformers,
# kagglehub, sentencepiece, ...) are for language models; xdsl, which pins typing-extensions, is imported by nothing that converts.
# Where the packages are not to be had the folder is gone, and the tests skip.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/.venv-litert}
unset PIP_CONSTRAINT  # tox sets that of the project's own environment
rm -rf "$folder"
python3 -m pip install -q --no-deps --target "$folder" \
  litert-torch==0.10.0 litert-converter==0.5.0 ai-edge-quantizer==0.10.0 immutabledict || { rm -rf "$folder"; exit 1; }
