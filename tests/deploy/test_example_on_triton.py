"""The example goes the whole way: model, package, repository, Triton's own server, the answer to its client."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from documents import ROOT, blocks, copy_of, run

from tests.deploy.triton_server import tritonserver

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "example_projects" / "deploy_triton"


def test_what_the_example_deploys_answers_its_client(triton_python: Path, tmp_path: Path) -> None:
    folder = copy_of(EXAMPLE, tmp_path / "deploy_triton")
    packing, deploying, *_ = blocks((EXAMPLE / "README.md").read_text(encoding="utf-8"), "shell")
    assert run(packing.text, folder).returncode == 0
    assert run(deploying.text, folder).returncode == 0

    with tritonserver(triton_python, folder / "models", tmp_path) as client:
        command = [sys.executable, "ask.py", f"http://{client.http}", "intents"]
        asked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert asked.returncode == 0, asked.stderr
    assert re.fullmatch(r"(text \d: intent \d, certainty 0\.\d{3}\n){2}", asked.stdout)
