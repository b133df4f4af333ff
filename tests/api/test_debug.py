"""`debug=True`: the caller gets exceptions as they are, and the workspace keeps what ran before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.__main__ import main
from pytest_navigator.api.loading import load
from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import traceback
import numpy as np
import pytest_navigator as nav

profile = nav.OptimizationProfile(batch_sizes=[2], window_size=5)

def told(function, *args, **options):
    try:
        package = function(*args, optimization_profile=profile, **options)
    except BaseException as error:
        raised = traceback.TracebackException.from_exception(error)
        own = [frame.name for frame in raised.stack if frame.filename == __file__][1:]
        chain = [type(other).__name__ for other in (error.__cause__, error.__context__)]
        print("raised:", type(error).__name__, error, own, *chain)
        print(*error.__notes__)
    else:
        print("returned:", package.get_formats_status(), package.is_verified("python", "cpu"))

samples = [np.ones((2, 3), np.float32)]
"""


def test_what_the_model_or_its_loader_raises_reaches_the_caller_with_its_type_frames_and_cause(tmp_path: Path) -> None:
    script = """
def inner(x):
    try:
        {}["gone"]
    except KeyError:
        raise RuntimeError("user bug")

def model(x):
    return inner(x)

def loader():
    raise OSError("no disk") from ValueError("why")

told(nav.python.optimize, model, samples, debug=True)
told(nav.python.optimize, abs, loader, debug=True)
"""
    lines = [line for line in output(BEGIN + script, tmp_path) if line.startswith("raised:")]

    assert lines == [
        "raised: RuntimeError user bug ['model', 'inner'] NoneType KeyError",
        "raised: OSError no disk ['loader'] ValueError NoneType",
    ]


def test_what_verify_func_raises_reaches_the_caller_what_it_returns_is_a_verdict(tmp_path: Path) -> None:
    script = """
def divides(found, expected):
    return 1 / 0

told(nav.python.optimize, abs, samples, verify_func=lambda found, expected: False, debug=True)
told(nav.python.optimize, abs, samples, verify_func=divides)
told(nav.python.optimize, abs, samples, verify_func=divides, debug=True)
"""
    lines = output(BEGIN + script, tmp_path)
    found = [line for line in lines if line.startswith(("raised:", "returned:"))]

    assert found == [
        "returned: {'python': True} False",
        "returned: {'python': True} False",
        "raised: ZeroDivisionError division by zero ['divides'] NoneType NoneType",
    ]
    workspace = tmp_path / "navigator_workspace"
    assert lines[-1] == (
        f"pytest-navigator: the results up to here are in {workspace}; a package of them: "
        f"pytest-navigator pack {workspace} -o model.nav"
    )
    assert main(["pack", str(workspace), "-o", str(tmp_path / "model.nav"), "--no-git"]) == 0
    with load(tmp_path / "model.nav") as package:
        assert package.get_formats_status() == {"python": True}
        assert list(package.get_formats_performance()) == ["python"]


@pytest.mark.parametrize("environment", [{}, {"NAV_DEBUG": "1"}])
def test_what_an_exporter_raises_reaches_the_caller_and_the_package_says_it_too(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    pytest.importorskip("torch")
    script = f"""
import torch

class Model(torch.nn.Linear):
    def forward(self, x):
        return super().forward(eval("x"))

model = Model(3, 2).eval()
options = {{"target_formats": "torchscript", "runners": "TorchScriptCPU", "debug": {not environment}}}
told(nav.torch.optimize, model, [torch.ones(2, 3)], **options)
"""
    lines = output(BEGIN + script, tmp_path, **environment)
    (raised,) = [line for line in lines if line.startswith("raised:")]

    assert raised.split()[1] not in ("SourceError", "PackageError", "StepFailed")
    assert main(["pack", str(tmp_path / "navigator_workspace"), "-o", str(tmp_path / "model.nav"), "--no-git"]) == 0
    with load(tmp_path / "model.partial.nav") as package:
        failed = package.results.made("torchscript-script")
        assert failed is not None
        assert failed.error == raised.split()[1]
