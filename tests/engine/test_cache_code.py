from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.configuration.onnx_config import OnnxConfig
from pytest_navigator.engine.cache.code import code_of
from pytest_navigator.engine.cache.libraries import versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMS = """
import json
from company import shared
from company.tools import twice

class Form:
    def convert(self):
        import company_lazily
        import company_missing
        return twice(shared)
"""
FILES = {
    "company_forms.py": FORMS,
    "company_lazily.py": "",
    "company_unused.py": "",
    "company/__init__.py": "shared = 1",
    "company/tools/__init__.py": "from .. import shared\nfrom .deep import twice",
    "company/tools/deep.py": "def twice(x): return 2 * x",
}
NAMES = ["company", "company.tools", "company.tools.deep", "company_forms", "company_lazily"]


@pytest.fixture
def form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """Return a class that uses modules of its own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("company_forms").Form
    for name in [name for name in sys.modules if name.startswith("company")]:
        del sys.modules[name]


def test_every_module_that_is_imported_counts_but_no_installed_one(form):
    assert [name for name, _ in code_of([form])] == NAMES


@pytest.mark.parametrize("name", [name for name in FILES if name != "company_unused.py"])
def test_an_edit_of_any_of_them_changes_it(form, tmp_path, name):
    before = code_of([form])
    (tmp_path / name).write_text(FILES[name] + "\n# edited")
    assert code_of([form]) != before


def test_an_edit_of_another_module_does_not(form, tmp_path):
    before = code_of([form])
    (tmp_path / "company_unused.py").write_text("# edited")
    assert code_of([form]) == before


def test_a_class_that_builds_on_one_of_them_counts_its_base(form):
    below = type("Below", (form,), {"__module__": "elsewhere"})
    assert [name for name, _ in code_of([below])] == NAMES


def test_our_own_code_is_known_by_its_version():
    assert code_of([OnnxFormat]) == []
    assert versions(["pytest_navigator"])["pytest-navigator"]


def test_versions_are_those_of_the_dependencies_too():
    found = versions(["pytest_cov_is_not_here", "pytest.mark"])
    assert found["pytest-cov-is-not-here"] is None
    assert {"pytest", "pluggy", "packaging"} <= found.keys()


def test_a_ready_onnx_file_is_known_by_its_content(tmp_path):
    ready = tmp_path / "ready.onnx"
    ready.touch()
    (variant,) = OnnxFormat().variants(OnnxConfig(model_path=ready), [])
    digests = []
    for content in (b"one", b"two"):
        ready.write_bytes(content)
        digests.append(OnnxFormat().depends_on(variant))
    assert len({*digests, None}) == 3
