"""No artifact holds a path of the machine that made it, and each still computes the same."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from torch_models import Subject

from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig, TorchScriptFormat
from pytest_navigator.configuration.onnx_config import OnnxConfig, OnnxDynamoExportConfig, OnnxTraceExportConfig
from pytest_navigator.formats.traces import without_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = """
import torch

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(5, 5)

    def forward(self, x):
        return torch.relu(self.fc(x))

class Branch(torch.nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda y: y.sin() + 1, lambda y: y.cos() - 1, (x,))

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.part, self.norm = Block(), torch.nn.LayerNorm(5)

    def forward(self, x):
        return torch.nn.functional.gelu(self.norm(self.part(x)))
"""

FORMATS = {
    "script": (TorchScriptFormat(), TorchScriptConfig(jit_type="script")),
    "trace": (TorchScriptFormat(), TorchScriptConfig(jit_type="trace")),
    "exportedprogram": (TorchExportedProgramFormat(), TorchExportConfig()),
    "onnx-dynamo": (OnnxFormat(), OnnxConfig(export_engine=OnnxDynamoExportConfig())),
    "onnx-trace": (OnnxFormat(), OnnxConfig(export_engine=OnnxTraceExportConfig())),
}
TORCHSCRIPT = ("script", "trace")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module of somebody's home folder."""
    path = tmp_path_factory.mktemp("machine") / "home" / "someuser-secret" / "private_models.py"
    path.parent.mkdir(parents=True)
    path.write_text(MODULE)
    spec = importlib.util.spec_from_file_location("private_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["private_models"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["private_models"]


def subject(library: Any, kind: str = "Net") -> Subject:
    torch.manual_seed(0)
    return Subject(getattr(library, kind)().eval(), lambda n: torch.full((n, 5), 0.25))


def members(path: Path) -> dict[str, bytes]:
    """The bytes of a file; of an archive, those of each member, uncompressed."""
    if not zipfile.is_zipfile(path):
        return {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def holders(path: Path, *needles: str) -> set[str]:
    return {name for name, data in members(path).items() for needle in needles if needle.encode() in data}


def needles(library: Any) -> tuple[str, ...]:
    return "someuser-secret", str(library.__file__), "site-packages", torch.__path__[0], sys.prefix


@pytest.mark.parametrize("format", list(FORMATS))
def test_no_artifact_holds_an_absolute_path(format: str, library: Any, tmp_path: Path) -> None:
    model = subject(library)
    form, config = FORMATS[format]
    variant, _ = model.export(form, config, tmp_path)
    path = tmp_path / variant.file

    assert holders(path, *needles(library)) == set()
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == [path.name]
    model.check(form.runner_specs[0].load()(path, model.signature, variant.parameters))


@pytest.mark.parametrize("format", ["exportedprogram", "onnx-dynamo"])
def test_neither_do_the_branches_of_a_condition(format: str, library: Any, tmp_path: Path) -> None:
    model = subject(library, "Branch")
    form, config = FORMATS[format]
    variant, _ = model.export(form, config, tmp_path)

    assert holders(tmp_path / variant.file, *needles(library)) == set()
    model.check(form.runner_specs[0].load()(tmp_path / variant.file, model.signature, variant.parameters))


def test_what_torch_writes_by_itself_does_hold_them(library: Any, tmp_path: Path) -> None:
    """The search above can fail."""
    model, example = subject(library).model, (torch.ones(2, 5),)
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(model), str(tmp_path / "script.pt"))
    torch.export.save(torch.export.export(model, example), str(tmp_path / "model.pt2"))

    assert holders(tmp_path / "script.pt", "someuser-secret")
    assert holders(tmp_path / "model.pt2", "someuser-secret")


def test_an_exported_program_does_not_hold_the_users_batch(library: Any, tmp_path: Path) -> None:
    model = subject(library)
    variant, _ = model.export(*FORMATS["exportedprogram"], tmp_path)
    (tensor,), options = torch.export.load(tmp_path / variant.file).example_inputs

    assert tensor.shape == (2, 5)
    assert tensor.count_nonzero() == 0
    assert options == {}


@pytest.mark.parametrize("format", ["exportedprogram", "onnx-dynamo"])
def test_the_line_of_the_model_stays_to_be_found(format: str, library: Any, tmp_path: Path) -> None:
    variant, _ = subject(library).export(*FORMATS[format], tmp_path)

    assert holders(tmp_path / variant.file, "private_models.py")


def test_a_ready_onnx_file_loses_the_folders_too(library: Any, tmp_path: Path) -> None:
    model = subject(library)
    variant, _ = model.export(*FORMATS["onnx-trace"], tmp_path)
    ready = onnx.load(tmp_path / variant.file)
    ready.graph.doc_string = f"made by {library.__file__}:3"
    entry = ready.graph.node[0].metadata_props.add(key="trace", value=f'File "{library.__file__}", line 9')
    onnx.save_model(ready, tmp_path / "ready.onnx")
    (tmp_path / "own").mkdir()

    variant, _ = model.export(OnnxFormat(), OnnxConfig(model_path=tmp_path / "ready.onnx"), tmp_path / "own")
    made = onnx.load(tmp_path / "own" / variant.file)
    assert made.graph.doc_string == "made by private_models.py:3"
    assert [(p.key, p.value) for p in made.graph.node[0].metadata_props] == [
        (entry.key, 'File "private_models.py", line 9')
    ]


@pytest.mark.parametrize("format", TORCHSCRIPT)
def test_torchscript_runs_in_a_process_of_its_own(format: str, library: Any, tmp_path: Path) -> None:
    model = subject(library)
    variant, _ = model.export(*FORMATS[format], tmp_path)
    code = "import sys, torch; print(torch.jit.load(sys.argv[1])(torch.full((3, 5), 0.25)).flatten().tolist())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / variant.file],
        capture_output=True,
        text=True,
        check=True,
    )

    with torch.no_grad():
        expected = model.model(torch.full((3, 5), 0.25)).flatten().numpy()
    np.testing.assert_allclose(np.array(done.stdout.strip("[]\n").split(","), dtype="f4"), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["Net", "Block"])  # gelu is in version 10 of the operators, relu in the first
@pytest.mark.parametrize("format", TORCHSCRIPT)
def test_torchscript_keeps_everything_but_its_debug_records(
    format: str, kind: str, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.pt"
    save = torch.jit.save

    def spy(module: Any, path: str, **options: Any) -> None:
        save(module, path, **options)
        whole.write_bytes(Path(path).read_bytes())

    monkeypatch.setattr(torch.jit, "save", spy)
    variant, _ = subject(library, kind).export(*FORMATS[format], tmp_path)
    found, made = members(tmp_path / variant.file), members(whole)
    lost = [name for name in made if name.endswith(".debug_pkl")]

    assert lost
    assert sorted(found) == sorted(set(made) - set(lost))
    made["model/.data/serialization_id"] = found["model/.data/serialization_id"]
    assert found == {name: made[name] for name in found}


@pytest.mark.parametrize(
    ("text", "public"),
    [
        (
            'File "/home/a b/net.py", line 3, in forward\n    return x',
            'File "net.py", line 3, in forward\n    return x',
        ),
        ('  File "/v/site-packages/torch/nn/linear.py", line 1', '  File "torch/nn/linear.py", line 1'),
        ('File "/site-packages/x/site-packages/torch/a.py"', 'File "torch/a.py"'),
        ("/home/a/net.py(12): forward\n/v/site-packages/torch/m.py(3): f", "net.py(12): forward\ntorch/m.py(3): f"),
        ('File "<string>", line 1', 'File "<string>", line 1'),
        ('File "net.py", line 1: a/b.py', 'File "net.py", line 1: a/b.py'),
        ("model/fc/weight / 2 and https://example.org/x", "model/fc/weight / 2 and https://example.org/x"),
    ],
)
def test_only_the_folders_go(text: str, public: str) -> None:
    assert without_folders(text) == public
    assert without_folders(public) == public
