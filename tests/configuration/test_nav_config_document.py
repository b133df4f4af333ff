"""docs/nav-config.md is complete and its example is a configuration file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from documents import ROOT, blocks

from pytest_navigator.configuration.nav_config_file import KEYS, read
from pytest_navigator.engine.evidence import LARGEST_BYTES
from pytest_navigator.engine.random_shapes import LARGEST_BATCH_BYTES, plan

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (ROOT / "docs" / "nav-config.md").read_text(encoding="utf-8")


def test_every_key_is_in_the_table() -> None:
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", TEXT, re.MULTILINE)

    assert sorted(key for cell in cells for key in re.findall(r"\w+", cell)) == sorted(KEYS)


def test_the_example_is_read(tmp_path: Path) -> None:
    path = tmp_path / "nav.yaml"
    path.write_text(blocks(TEXT, "yaml")[0].text)

    config = read(path)

    assert config.inputs is not None
    assert plan(config.inputs, config).max == {"image__0": (8, 3, 64, 64)}
    assert config.atol == {"output__0": 1e-3, "": 1e-5}


def test_the_limits_are_those_of_the_code() -> None:
    assert f"fit into {LARGEST_BATCH_BYTES // 2**20} MiB" in TEXT
    assert f"up to\n  {LARGEST_BYTES // 2**20} MiB" in TEXT
