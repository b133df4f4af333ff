"""A format that a plugin adds is one like all others in a package, too: run, verified, merged, checked again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.scripts import output

pytest.importorskip("tract")

EXAMPLE = Path(__file__).parents[2] / "example_projects" / "tract_plugin"
RUN = "-q -p no:cacheprovider --nav-formats=onnx,nnef --nav-runtimes=cpu --nav-package=out.nav --nav-no-profile"

VERIFY = """
def verify_close(nav_runner, nav_source_runner):
    import torch
    x = torch.ones(8, 16)
    assert torch.allclose(nav_runner(x), nav_source_runner(x), atol=1e-2)
"""


AFTER = """
import numpy as np
import nav_tract
import pytest_navigator as nav

package = nav.load("out.nav")
sample = np.ones((8, 16), np.float32)
with package.get_runner("nnef-fp32", runtime="cpu") as ours, package.get_runner("onnx", runtime="cpu") as onnx:
    print(type(ours(sample)).__name__, bool(abs(np.asarray(ours(sample)) - np.asarray(onnx(sample))).max() < 1e-5))
package.retest(profile=False)
print(package.get_status("nnef-fp32", runtime="cpu"), package.get_status("nnef-fp16", runtime="cpu"))
package.save("again.nav")
print(nav.load("again.nav").get_formats_status()["nnef-fp16"])
"""

OPTIMIZED = """
import numpy as np
import torch
import nav_tract
import pytest_navigator as nav

model = torch.nn.Linear(4, 2).eval()
package = nav.torch.optimize(
    model, [torch.ones(3, 4)], target_formats=("onnx", "nnef"), runners=("OnnxCPU", "Tract"),
    optimization_profile=nav.OptimizationProfile(batch_sizes=[1], window_size=5),
)
print(package.get_formats_status()["nnef-fp32"], "nnef-fp32" in package.get_formats_performance())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with its package."""
    folder = tmp_path_factory.mktemp("others") / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "navigator_workspace", "*.nav"))
    (folder / "test_close.py").write_text(VERIFY)
    ran = subprocess.run([sys.executable, "-m", "pytest", *RUN.split()], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    return folder


def test_it_is_verified_and_says_what_to_import_before_it_runs(project: Path) -> None:
    script = """
import pytest_navigator as nav

package = nav.load("out.nav")
print(package.get_status("nnef-fp16"), package.is_verified("nnef-fp16", "cpu"))
try:
    package.get_runner("nnef-fp16", runtime="cpu")
except nav.errors.PackageError as error:
    print(error)
"""
    lines = output("import pytest_navigator.errors\n" + script, project)

    assert lines[-2:] == [
        "True True",
        "the runner Tract is not one of pytest-navigator's: import nav_tract first",
    ]


def test_once_its_module_is_imported_it_runs_and_is_checked_again(project: Path) -> None:
    lines = output(AFTER, project)

    assert lines[0] == "Tensor True"
    assert any(line.startswith("out.nav::nav_model::test_convert[nnef-fp16] PASSED") for line in lines)
    assert lines[-2:] == ["True True", "True"]


def test_a_call_of_the_api_makes_it_once_its_module_is_imported(project: Path) -> None:
    assert output(OPTIMIZED, project)[-1] == "True True"


def test_the_commands_need_nothing_of_it(project: Path, tmp_path: Path) -> None:
    for command in (
        ["show", "out.nav"],
        ["verify", "out.nav"],
        ["merge", "out.nav", "out.nav", "-o", str(tmp_path / "merged.nav")],
        ["extract", "out.nav", "nnef-fp16", "-o", str(tmp_path / "model")],
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "pytest_navigator", *command], cwd=project, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "merged.nav").is_file()
    assert list((tmp_path / "model").rglob("model.nnef.tar"))
