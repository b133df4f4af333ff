"""What `--nav-model=SPEC` names, without an import."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.plugin.spec import FunctionSpec, function_spec, model_spec, module_file

if TYPE_CHECKING:
    from pathlib import Path

CODE = "import no_such_package\n\n\ndef build() -> 'torch.nn.Module':\n    pass\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "spec_pkg" / "inner"
    folder.mkdir(parents=True)
    (tmp_path / "spec_pkg" / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text(CODE)
    return tmp_path


def test_a_module_is_found_without_importing_the_packages_that_it_is_in(package: Path) -> None:
    path = [str(package)]
    assert module_file("spec_pkg.inner.models", path) == package / "spec_pkg/inner/models.py"
    assert module_file("spec_pkg.inner", path) == package / "spec_pkg/inner/__init__.py"
    assert module_file("spec_pkg.outer.models", path) is None
    assert module_file("json.decoder", path) is not None
    assert module_file("sys", path) is None
    assert not any(name.startswith("spec_pkg") for name in sys.modules)


def test_a_namespace_package_has_modules_too(tmp_path: Path) -> None:
    (tmp_path / "spec_space").mkdir()
    (tmp_path / "spec_space" / "models.py").write_text(CODE)
    assert module_file("spec_space.models", [str(tmp_path)]) == tmp_path / "spec_space/models.py"
    assert module_file("spec_space", [str(tmp_path)]) is None


def test_a_function_is_known_by_its_definition(package: Path) -> None:
    spec = model_spec("spec_pkg.inner.models:build", package, [str(package)])
    assert isinstance(spec, FunctionSpec)
    assert (spec.name, spec.line, spec.annotation) == ("build", 3, "torch.nn.Module")
    other = function_spec("spec_pkg.inner.models:Other.build", [str(package)])
    assert (other.name, other.line, other.annotation) == ("build", 0, "")


def test_a_file_wins_over_a_function_of_its_name(package: Path) -> None:
    (package / "spec_pkg.inner.models:build").write_bytes(b"\x08\x0a\x3a\x00")
    spec = model_spec("spec_pkg.inner.models:build", package, [str(package)])
    assert spec.framework == "onnx"


def test_a_function_is_called_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "spec_models.py").write_text("made = []\n\ndef build():\n    made.append(1)\n    return made\n")
    monkeypatch.syspath_prepend(str(package))
    spec = function_spec("spec_models:build", [str(package)])
    assert spec.model() is spec.model()
    assert spec.model() == [1]
    with pytest.raises(SourceError, match="unknown name 'bild'; did you mean 'build'"):
        function_spec("spec_models:bild", [str(package)]).model()


@pytest.mark.parametrize("text", ["models", "models:", ":build", "a b:c", "models:build()", "1:2"])
def test_other_texts_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="module:function"):
        model_spec(text, tmp_path, [])
